"""Tables of the catalogue: products with their codes, dated prices, VAT and deposits."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from shop_hub.core.db import Base, BigKey, enum_column
from shop_hub.core.ids import uuid7
from shop_hub.core.triggers import append_only


class VatClass(StrEnum):
    """Classes of UStG §12; the rate of a class is dated, see VatRate."""

    STANDARD = "standard"
    REDUCED = "reduced"
    ZERO = "zero"


class Unit(StrEnum):
    """What a quantity of 1000 means."""

    PIECE = "piece"
    KILOGRAM = "kg"
    LITRE = "l"
    METRE = "m"


class StockPolicy(StrEnum):
    """SOFT: whoever holds the goods may buy them, even if the books say none are left. HARD: the books decide."""

    SOFT = "soft"
    HARD = "hard"


class DatePolicy(StrEnum):
    """What happens at the till once the best-before date has passed. A use-by date always blocks."""

    WARN = "warn"
    BLOCK = "block"


class Embed(StrEnum):
    """What the digits embedded in an in-store code mean."""

    NOTHING = "nothing"
    GRAM = "gram"
    MILLILITRE = "millilitre"
    PIECE = "piece"
    PRICE = "price"


class DepositKind(StrEnum):
    """One-way or returnable container (VerpackDG §47: the words must stand beside the goods)."""

    ONE_WAY = "einweg"
    RETURNABLE = "mehrweg"


class PriceSource(StrEnum):
    """Where a price came from."""

    OPERATOR = "operator"
    IMPORT = "import"


class ProductGroup(Base):
    """A group of goods with a drawn symbol, as the kiosk shows it. `name` is in the language of the shop."""

    __tablename__ = "product_group"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    name_en: Mapped[str] = mapped_column(default="")
    symbol: Mapped[str]
    sort: Mapped[int] = mapped_column(default=0)


class VatRate(Base):
    """The rate of a class from a moment on, in permille."""

    __tablename__ = "vat_rate"
    __table_args__ = (CheckConstraint("permille BETWEEN 0 AND 999", name="permille"),)

    vat_class: Mapped[VatClass] = mapped_column(enum_column(VatClass), primary_key=True)
    valid_from: Mapped[datetime] = mapped_column(primary_key=True)
    permille: Mapped[int]


class DepositType(Base):
    """A kind of container with a deposit (Pfand)."""

    __tablename__ = "deposit_type"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    kind: Mapped[DepositKind] = mapped_column(enum_column(DepositKind))


class DepositRate(Base):
    """The deposit of a type from a moment on, in cents incl. VAT."""

    __tablename__ = "deposit_rate"
    __table_args__ = (CheckConstraint("cents BETWEEN 1 AND 10000", name="cents"),)

    deposit_type_id: Mapped[int] = mapped_column(ForeignKey("deposit_type.id"), primary_key=True)
    valid_from: Mapped[datetime] = mapped_column(primary_key=True)
    cents: Mapped[int]


class Product(Base):
    """Goods that the shop sells; the same at every site.

    `unit` is what the customer buys: pieces, or loose goods by weight. `content_milli` of `content_unit` is in one
    piece (500 of kg = 500 g) and gives the base price; `drained_milli` replaces it where stated (PAngV §5(3)).
    A crate `contains_pieces` of another product and so bears their deposit too.
    """

    __tablename__ = "product"
    __table_args__ = (
        CheckConstraint("length(name) BETWEEN 1 AND 200", name="name"),
        CheckConstraint("min_age IN (0, 16, 18)", name="min_age"),
        CheckConstraint("(content_milli IS NULL) = (content_unit IS NULL)", name="content"),
        CheckConstraint("content_milli > 0", name="content_positive"),
        CheckConstraint("drained_milli > 0 AND drained_milli <= content_milli", name="drained"),
        CheckConstraint("(contains_id IS NULL) = (contains_pieces IS NULL)", name="contains"),
        CheckConstraint("contains_pieces > 0 AND contains_id <> id", name="contains_positive"),
        Index("ix_product_list", "search_key", "id"),
        Index("ix_product_group", "group_id", "search_key"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[UUID] = mapped_column(unique=True, default=uuid7)
    name: Mapped[str]
    name_en: Mapped[str] = mapped_column(default="")
    maker: Mapped[str] = mapped_column(default="")
    search_key: Mapped[str]
    group_id: Mapped[int] = mapped_column(ForeignKey("product_group.id"))
    unit: Mapped[Unit] = mapped_column(enum_column(Unit), default=Unit.PIECE)
    content_milli: Mapped[int | None]
    content_unit: Mapped[Unit | None] = mapped_column(enum_column(Unit, "content_unit"))
    drained_milli: Mapped[int | None]
    vat_class: Mapped[VatClass] = mapped_column(enum_column(VatClass))
    deposit_type_id: Mapped[int | None] = mapped_column(ForeignKey("deposit_type.id"))
    contains_id: Mapped[int | None] = mapped_column(ForeignKey("product.id"))
    contains_pieces: Mapped[int | None]
    min_age: Mapped[int] = mapped_column(default=0)
    is_vending_forbidden: Mapped[bool] = mapped_column(default=False)
    stock_policy: Mapped[StockPolicy] = mapped_column(enum_column(StockPolicy), default=StockPolicy.SOFT)
    date_policy: Mapped[DatePolicy] = mapped_column(enum_column(DatePolicy), default=DatePolicy.WARN)
    is_active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime]


class BarcodeTemplate(Base):
    """Layout of in-store codes, e.g. `2{code:5}{i}{embed:5}{ec}`: data, since there is no national layout."""

    __tablename__ = "barcode_template"

    name: Mapped[str] = mapped_column(primary_key=True)
    pattern: Mapped[str] = mapped_column(unique=True)
    is_active: Mapped[bool] = mapped_column(default=True)


class ProductCode(Base):
    """A code of a product: GTIN-14 with leading zeros, a PLU of up to 6 digits, or other text in capitals.

    With a `template` the code is the item reference of an in-store code. `quantity_milli` is what one scan means,
    e.g. 6000 for the outer code of a six-pack.
    """

    __tablename__ = "product_code"
    __table_args__ = (
        UniqueConstraint("code", "template"),
        CheckConstraint("length(code) BETWEEN 1 AND 40", name="code"),
        CheckConstraint("quantity_milli > 0", name="quantity"),
        CheckConstraint("(template = '') = (embed = 'nothing')", name="embed_with_template"),
        Index("ix_product_code_product", "product_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"))
    code: Mapped[str]
    template: Mapped[str] = mapped_column(default="")
    embed: Mapped[Embed] = mapped_column(enum_column(Embed), default=Embed.NOTHING)
    quantity_milli: Mapped[int] = mapped_column(default=1000)


class Price(Base):
    """The gross price of a product at a site from a moment on, per unit. Never changed: the newest dated row counts."""

    __tablename__ = "price"
    __table_args__ = (
        CheckConstraint("cents BETWEEN 0 AND 1000000", name="cents"),
        Index("ix_price_current", "product_id", "site_id", "valid_from", "id"),
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    site_id: Mapped[int] = mapped_column(ForeignKey("site.id"))
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"))
    cents: Mapped[int]
    valid_from: Mapped[datetime]
    source: Mapped[PriceSource] = mapped_column(enum_column(PriceSource), default=PriceSource.OPERATOR)
    actor: Mapped[str]
    created_at: Mapped[datetime]


append_only(Price.__table__)
