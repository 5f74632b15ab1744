"""plans of shops and changes of devices

Revision: 0010, after 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "plan_room",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("plan_column", sa.Integer(), nullable=False),
        sa.Column("plan_row", sa.Integer(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "plan_column >= 1 AND plan_row >= 1 AND width >= 1 AND height >= 1"
            " AND plan_column + width <= 9 AND plan_row + height <= 11",
            name=op.f("ck_plan_room_inside"),
        ),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name=op.f("fk_plan_room_site_id_site")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan_room")),
        sa.UniqueConstraint("public_id", name=op.f("uq_plan_room_public_id")),
        sa.UniqueConstraint("site_id", "id", name=op.f("uq_plan_room_site_id_id")),
    )
    op.create_table(
        "device_change",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("site_id", sa.Integer(), nullable=False),
        sa.Column("device_id", sa.Integer(), nullable=False),
        sa.Column(
            "what",
            sa.Enum(
                "version",
                "boot",
                "life",
                name="happening_known",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["site_id", "device_id"],
            ["device.site_id", "device.id"],
            name=op.f("fk_device_change_site_id_device_id_device"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device_change")),
    )
    with op.batch_alter_table("device_change", schema=None) as batch_op:
        batch_op.create_index("ix_device_change_at", ["device_id", "at"], unique=False)
    op.create_table(
        "device_place",
        sa.Column("device_id", sa.Integer(), nullable=False),
        sa.Column("site_id", sa.Integer(), nullable=False),
        sa.Column("words", sa.String(), nullable=False),
        sa.Column("plan_column", sa.Integer(), nullable=True),
        sa.Column("plan_row", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "(plan_column IS NULL AND plan_row IS NULL) OR (plan_column BETWEEN 1 AND 8 AND plan_row BETWEEN 1 AND 10)",
            name=op.f("ck_device_place_plan"),
        ),
        sa.ForeignKeyConstraint(
            ["site_id", "device_id"],
            ["device.site_id", "device.id"],
            name=op.f("fk_device_place_site_id_device_id_device"),
        ),
        sa.PrimaryKeyConstraint("device_id", name=op.f("pk_device_place")),
    )


def downgrade() -> None:
    raise NotImplementedError("restore the backup that every upgrade makes")
