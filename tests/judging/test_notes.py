from app.judging.notes import not_judged, not_trained_on, share_notes


def test_a_share_is_reported_where_something_was_left_out() -> None:
    assert share_notes(1.0) == ()
    assert "43.2 % is kept" in share_notes(0.4321)[0]
    assert "0.5 % is kept" in share_notes(0.005)[0]
    assert share_notes(0.0)[0].startswith("the network adds nothing")


def test_the_first_are_named_and_all_are_counted() -> None:
    lengths = {f"s{number}": number for number in range(14)}
    told = not_trained_on(lengths, of=40, window=60, needed=61, before_cut=False)
    assert told.startswith("14 of 40 series are too short for the window of 60 and were not")
    assert "'s0' has 0, 's1' has 1" in told
    assert "'s9' has 9 and 4 more; a smaller" in told
    assert not_judged({"a": 3, "b": 4}, of=5, window=60).startswith("2 of 5 series have no row")
