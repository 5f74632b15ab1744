"""Words and drawings for the kinds of posts; msgids, translated where they are shown."""

from shop_hub.board.models import PostKind, PostState
from shop_hub.core.errors import N_

NAMES = {
    PostKind.NOTICE: N_("Notice"),
    PostKind.NEWS: N_("News"),
    PostKind.OFFER: N_("Offered"),
    PostKind.SEEK: N_("Wanted"),
    PostKind.LOST: N_("Lost and found"),
    PostKind.OFFICIAL: N_("Official"),
    PostKind.HELP: N_("Help wanted"),
    PostKind.EVENT: N_("Event"),
}
ICONS = {
    PostKind.NOTICE: "board",
    PostKind.NEWS: "newspaper",
    PostKind.OFFER: "heart",
    PostKind.SEEK: "search",
    PostKind.LOST: "question",
    PostKind.OFFICIAL: "megaphone",
    PostKind.HELP: "hands",
    PostKind.EVENT: "calendar",
}
STATES = {
    PostState.DRAFT: N_("draft"),
    PostState.PENDING: N_("waits for approval"),
    PostState.PUBLISHED: N_("on the board"),
    PostState.REJECTED: N_("refused"),
    PostState.EXPIRED: N_("over"),
    PostState.WITHDRAWN: N_("taken down"),
}
