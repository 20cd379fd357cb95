"""Answer `POST /predict/batch`: items in, answers out in the same order."""

import asyncio
from collections.abc import Sequence
from functools import partial

from app.errors import StepaheadError, Unavailable, Unprocessable
from app.http.direct_calls import Call
from app.http.problem_responses import problem_bytes, unforeseen
from app.predictions.batches.items import Item, read_items
from app.predictions.batches.uniform import Block, alike_items, fits
from app.predictions.batching import LONG_SECONDS, Ticket
from app.predictions.calls import (
    LONG_TEXT_CHARACTERS,
    Asked,
    Predictions,
    check_body,
    let_ask,
)
from app.predictions.pricing import refuse_too_many, refuse_too_much_text, seconds_together
from app.predictions.questions import CallerGone, Reply
from app.predictions.schemas import PredictRequest


class BatchCalls:
    """The handler of `POST /predict/batch`."""

    def __init__(self, predictions: Predictions) -> None:
        self._predictions = predictions

    def predict_batch(self, call: Call) -> None:
        """Answer a batch; an item that fails does not fail the others."""
        try:
            check_body(call)
            block = self._uniform_block(call)
            if block is None:
                self._ask_items(call)
                return
            let_ask(call.caller, [block.version.model] * block.rows)
            refuse_too_many(block.rows, values=block.answer_size, seconds=block.seconds)
            self._predictions.batcher.submit_runs([block])
        except StepaheadError as error:
            self._predictions.reply(call, error)

    def _uniform_block(self, call: Call) -> Block | None:
        """Return a batch of uniform questions as a block, or None for any other batch."""
        found = alike_items(call.request.body)
        if found is None:
            return None
        items, requests = found
        runtime = self._predictions.runtime
        try:
            reference = runtime.reference(items[0]["model"])
        except Unprocessable:  # each item is answered with it
            return None
        version = runtime.ready(reference)
        if version is None or not fits(version, items):
            return None
        return Block(
            version,
            items,
            requests,
            request_id=call.request_id,
            alias=reference.alias,
            key=call.caller.name,
            answer=partial(self._reply, call, requests),
            is_gone=call.request.is_gone,
        )

    def _ask_items(self, call: Call) -> None:
        """Submit the items of a batch together once all of them are questions.

        Raises:
            StepaheadError: they are not valid items, or too much together.
        """
        items = read_items(call.request.body)
        requests = [item for _, item in items if isinstance(item, PredictRequest)]
        let_ask(call.caller, [request.model for request in requests])
        refuse_too_much_text(sum([len(request.text or "") for request in requests]))
        tickets: list[Ticket] = []
        slow: list[Asked] = []
        characters = 0
        for asked in self._valid(call, items):
            request = asked.request
            characters += len(request.text or "")
            takes_time = request.dataset is not None or characters > LONG_TEXT_CHARACTERS
            try:
                ticket = self._predictions.ticket(call, asked, takes_time=takes_time)
            except StepaheadError as error:
                asked.answer(error)
                continue
            if ticket is None:
                slow.append(asked)
            else:
                tickets.append(ticket)
        if slow:
            refuse = partial(self._predictions.reply, call)
            self._predictions.finish_later(self._prepare(call, slow, tickets), refuse)
        else:
            self._submit(tickets)

    def _valid(self, call: Call, items: Sequence[Item]) -> list[Asked]:
        """Return the items that are valid requests; the others are answered with errors."""
        raws = [raw for raw, _ in items]
        replies: list[Reply] = [b""] * len(items)
        missing = len(items)

        def put(place: int, reply: Reply) -> None:
            nonlocal missing
            replies[place] = reply
            missing -= 1
            if not missing:
                self._reply(call, raws, replies)

        valid = []
        for place, (raw, item) in enumerate(items):
            if isinstance(item, StepaheadError):
                put(place, item)
            elif item.stream:
                put(place, Unprocessable.at("stream", "is for POST /predict, not for a batch"))
            else:
                valid.append(Asked(item, raw, partial(put, place)))
        return valid

    async def _prepare(self, call: Call, slow: Sequence[Asked], tickets: list[Ticket]) -> None:
        prepared = await asyncio.gather(
            *(self._predictions.prepared_ticket(call, asked) for asked in slow),
            return_exceptions=True,
        )
        for asked, ticket in zip(slow, prepared, strict=True):
            if isinstance(ticket, BaseException):
                asked.answer(ticket)
            else:
                tickets.append(ticket)
        self._submit(tickets)

    def _submit(self, tickets: Sequence[Ticket]) -> None:
        questions = [ticket.question for ticket in tickets]
        seconds = seconds_together(questions)
        values = sum([question.answer_size for question in questions])
        refuse_too_many(len(tickets), values=values, seconds=seconds)
        batcher = self._predictions.batcher
        if seconds > LONG_SECONDS:
            batcher.submit_apart(tickets)
            return
        for ticket in tickets:
            try:
                batcher.submit(ticket)
            except Unavailable as error:
                ticket.answer(error)

    def _reply(self, call: Call, requests: Sequence[bytes], replies: Sequence[Reply]) -> None:
        parts = [b'{"items":[']
        for request, reply in zip(requests, replies, strict=True):
            if isinstance(reply, CallerGone):
                self._predictions.reply(call, reply)
                return
            if isinstance(reply, bytes):
                parts += (reply, b",")
            else:
                parts += (self._wrong_item(call, request, reply), b",")
        parts[-1] = b"]}"
        call.answer(b"".join(parts))  # one copy, because answers may be long

    def _wrong_item(self, call: Call, raw: bytes, error: BaseException) -> bytes:
        """Return an error in the form of the answer to a batch."""
        if not isinstance(error, StepaheadError):
            error = unforeseen(error, call.request_id)
        self._predictions.log_refusal(call, raw, error)
        return b'{"error":' + problem_bytes(error) + b"}"
