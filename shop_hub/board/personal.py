"""One villager's notices: what is given out, what is taken down (DSGVO Art. 15, 17)."""

from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from shop_hub.board import queries, service
from shop_hub.board.models import Contact, Post


def export(session: Session, person_id: int) -> Any:
    """Return the notices that this person has written under the own name, oldest first."""
    posts = session.scalars(select(Post).where(Post.person_id == person_id).order_by(Post.id))
    return [
        {
            "kind": post.kind.value,
            "title": post.title,
            "text": post.text,
            "contact": post.contact_text,
            "state": post.state.value,
            "created_at": post.created_at.isoformat(),
        }
        for post in posts
    ]


def erase(session: Session, person_id: int) -> None:
    """Take the person's notices down and forget who wrote them and how to reach the writer."""
    own = Post.person_id == person_id
    for post_id in session.scalars(select(Post.id).where(own, Post.state.in_(queries.LIVING))).all():
        service.withdraw(session, post_id, actor="system")
    session.execute(
        update(Post).where(own).values(person_id=None, contact=Contact.RELAY, contact_text="", consent_at=None)
    )
