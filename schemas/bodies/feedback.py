"""Ratings of answers."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from schemas.bodies.pages import RequestBody
from schemas.chats import Feedback

Rating = Literal["up", "down"]
FeedbackTag = Annotated[str, Meta(min_length=1, max_length=50, pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)", examples=["wrong_source"])]


class FeedbackCreate(RequestBody, frozen=True, kw_only=True):
    """A rating; a later one of the same answer replaces it."""

    rating: Rating
    comment: Annotated[str, Meta(max_length=2_000, examples=["The second paragraph is out of date."])] = ""
    tags: Annotated[tuple[FeedbackTag, ...], Meta(max_length=16, description="Words of the client's own.")] = ()


class FeedbackView(Struct, frozen=True, kw_only=True):
    """The latest rating."""

    rating: Rating
    comment: str = ""
    tags: tuple[str, ...] = ()

    @classmethod
    def of(cls, feedback: Feedback) -> "FeedbackView":
        """The record without account and answer."""
        return cls(rating=feedback.rating, comment=feedback.comment, tags=feedback.tags)
