"""Lists with dates that do not say which instant they mean."""

from datetime import UTC, datetime

from tests.support.list_kinds.model import Kind, row

DATES = (
    Kind(
        name="14_dates_without_offset",
        file="14.csv",
        content=(
            b"name,city,updated_at\n"
            b"Larch Hospital,Dorn,2023-11-05 18:30:00\n"
            b"Hazel Hospital,Elst,2023-11-06\n"
            b"Alder Clinic,Fahr,07/08/2023\n"
        ),
        rows=(
            row(
                2,
                "name:larch hospital CITY dorn",
                "Larch Hospital",
                city="Dorn",
                observed_at=datetime(2023, 11, 5, 18, 30, tzinfo=UTC),
            ),
            row(
                3,
                "name:hazel hospital CITY elst",
                "Hazel Hospital",
                city="Elst",
                observed_at=datetime(2023, 11, 6, tzinfo=UTC),
            ),
            row(
                4,
                "name:alder clinic CITY fahr",
                "Alder Clinic",
                city="Fahr",
                left_out={"observed_at": "07/08/2023"},
            ),
        ),
        notes=("observed_at: dates such as 03/04/2024 are left out, because no row shows the order",),
    ),
    Kind(
        name="14_dates_without_offset, order and zone given",
        file="14-order.csv",
        content=(
            b"name,city,updated_at\n"
            b"Larch Hospital,Dorn,2023-11-05 18:30:00\n"
            b"Hazel Hospital,Elst,2023-11-06T04:00:00+09:00\n"
            b"Alder Clinic,Fahr,07/08/2023\n"
        ),
        options=("--date-order", "dmy", "--timezone", "Europe/Paris"),
        rows=(
            row(
                2,
                "name:larch hospital CITY dorn",
                "Larch Hospital",
                city="Dorn",
                observed_at=datetime(2023, 11, 5, 17, 30, tzinfo=UTC),
            ),
            row(
                3,
                "name:hazel hospital CITY elst",
                "Hazel Hospital",
                city="Elst",
                observed_at=datetime(2023, 11, 5, 19, tzinfo=UTC),
            ),
            row(
                4,
                "name:alder clinic CITY fahr",
                "Alder Clinic",
                city="Fahr",
                observed_at=datetime(2023, 8, 6, 22, tzinfo=UTC),
            ),
        ),
    ),
)
