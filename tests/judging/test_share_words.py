from app.judging.share_words import share_notes


def test_a_share_is_told_where_something_was_left_out() -> None:
    assert share_notes(1.0) == ()
    assert "43.2 % is kept" in share_notes(0.4321)[0]
    assert "0.5 % is kept" in share_notes(0.005)[0]
    assert share_notes(0.0)[0].startswith("the network adds nothing")
