"""`choose_readers`: decides once for a file how the cells of each column are to be read."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, get_args

from producers.files.values.attributes import AttributeReader, AttributesReader
from producers.files.values.cells import CellReader, DateOrder, MappedColumns, Sampled
from producers.files.values.choosing_coordinates import CoordinateChoice
from producers.files.values.codes import codes_like_words
from producers.files.values.dates import DateParser
from producers.files.values.instants import DateStyle, InstantReader, date_style, time_zone
from producers.files.values.lost_zeros import lost_zeros, lost_zip_zeros
from producers.files.values.made_dates import has_no_letters, is_made_date
from producers.files.values.misplaced import STYLES, NumberStyle, number_style
from producers.files.values.missing import CODES, PLACES, PlaceWords, is_missing, is_missing_text
from producers.files.values.numbers import WholeNumberReader, thousands_sign
from producers.files.values.positions import Region
from producers.files.values.postal_towns import STYLES as POSTAL_TOWN_STYLES
from producers.files.values.postal_towns import Part, PartReader, postal_town_style
from producers.files.values.telephones import TelephoneReader, are_parts
from producers.files.values.texts import CodeReader, HospitalTypeReader, TextReader, has_whole_floats
from producers.files.values.yes_no import YesNoReader, YesNoStyle, yes_no_style
from producers.files.values.zeros import ZeroIsMissing, zeros_style
from worker.contract.placeholders import is_placeholder_identifier

_YES: Final = "yes"


@dataclass(frozen=True, kw_only=True)
class ValueWishes:
    """What the user has said about values. `settings` are those of a profile, as `Readers.settings` gave them.

    `date_order` and `timezone` take precedence over the settings; None means: by the profile, else decided or UTC.
    """

    date_order: DateOrder | None = None
    timezone: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Readers:
    """The reader of each mapped field, and what was decided.

    `settings` has the decisions as text, for a profile. `notes` say what a person should know. `region` judges
    positions by where most hospitals of the file are. `numbers` says what becomes of numbers in fields of places.
    """

    by_field: Mapping[str, CellReader]
    settings: Mapping[str, str]
    notes: Sequence[str]
    region: Region
    numbers: Mapping[str, NumberStyle]

    def forget_changes(self) -> None:
        """Count the cells that are changed from 0 again."""
        for reader in self.by_field.values():
            reader.changes.clear()


def choose_readers(
    mapped: Sequence[MappedColumns],
    statistics: Mapping[str, Sampled],
    wishes: ValueWishes,
    *,
    now: datetime | None = None,
) -> Readers:
    """Decide how each mapped field is read, from the samples of its columns.

    `statistics` are by column. `now` (default: the current time) bounds what an instant can be. Raises
    `ConfigurationError` for a time zone that does not exist.
    """
    samples = {
        it.field: [cell for column in it.columns if column in statistics for cell in _cells(statistics[column])]
        for it in mapped
    }
    return _Choice(mapped, statistics, samples, wishes, now or datetime.now(UTC)).readers()


class _Choice:
    def __init__(
        self,
        mapped: Sequence[MappedColumns],
        statistics: Mapping[str, Sampled],
        samples: Mapping[str, Sequence[object]],
        wishes: ValueWishes,
        now: datetime,
    ) -> None:
        self._mapped = mapped
        self._samples = samples
        self._statistics = statistics
        self._wishes = wishes
        self._now = now
        self._settings: dict[str, str] = {}
        self._numbers: dict[str, NumberStyle] = {}
        self._notes: list[str] = []
        self._coordinates = CoordinateChoice(mapped, samples, wishes.settings, self._settings, self._notes)

    def readers(self) -> Readers:
        by_field = {it.field: self._reader(it) for it in self._mapped}
        region = self._coordinates.region(self._rows_of)
        return Readers(
            by_field=by_field,
            settings=self._settings,
            notes=tuple(self._notes),
            region=region,
            numbers=self._numbers,
        )

    def _reader(self, mapped: MappedColumns) -> CellReader:
        makers: Mapping[str, Callable[[MappedColumns], CellReader]] = {
            "external_id": self._identifier,
            "local_id": self._identifier,
            "phone": self._telephone,
            "postal_code": self._postal_code,
            "emergency_services": self._yes_no,
            "hospital_type": lambda _: HospitalTypeReader(is_missing),
            "beds": self._whole_number,
            **dict.fromkeys(("latitude", "longitude", "location"), self._coordinates.reader),
            "observed_at": self._instant,
            "attributes": lambda _: AttributesReader(),
            **dict.fromkeys(PLACES, self._place),
            "city": self._city,
        }
        if mapped.field in makers:
            return makers[mapped.field](mapped)
        return AttributeReader() if mapped.field.startswith("attributes.") else TextReader(is_missing_text)

    def _given(self, setting: str) -> str | None:
        return self._wishes.settings.get(setting)

    def _place(self, mapped: MappedColumns) -> CellReader:
        name = mapped.field
        codes: frozenset[str] | None = None
        if name in CODES:
            setting = f"{name}.codes"
            given = self._given(setting)
            has_codes, words = codes_like_words(self._samples_with_words(), name)
            if given is not None or has_codes:
                codes = words if given is None else frozenset(_listed(given))
                self._settings[setting] = ", ".join(sorted(codes))
            self._numbers[name] = self._number_style(mapped)
        changes: Counter[str] = Counter()
        return TextReader(PlaceWords(name, codes, changes).is_missing, changes)

    def _city(self, mapped: MappedColumns) -> CellReader:
        return self._part(mapped, "town", self._place(mapped))

    def _postal_code(self, mapped: MappedColumns) -> CellReader:
        codes = self._rows_of(mapped.field)
        self._note(lost_zeros(mapped.field, codes) or lost_zip_zeros(codes, self._samples.get("state", ())))
        return self._part(mapped, "code", self._code(mapped))

    def _part(self, mapped: MappedColumns, part: Part, reader: CellReader) -> CellReader:
        """Return a reader of the town or the postal code only, if the cells have both."""
        if len(mapped.columns) > 1:
            return reader
        setting = f"{mapped.field}.postal_towns"
        given = next((it for it in POSTAL_TOWN_STYLES if it == self._given(setting)), None)
        style = given or postal_town_style(self._samples[mapped.field])
        if style is None:
            return reader
        self._settings[setting] = style
        return PartReader(reader, style, part)

    def _samples_with_words(self) -> Mapping[str, Sequence[object]]:
        """Return the samples with the words for "not known" of each field, which the survey leaves out of them."""
        return {
            it.field: [
                *self._samples[it.field],
                *(word for column in self._of(it) for word in column.missing_words),
            ]
            for it in self._mapped
        }

    def _number_style(self, mapped: MappedColumns) -> NumberStyle:
        setting = f"{mapped.field}.numbers"
        given = next((style for style in STYLES if style == self._given(setting)), None)
        # A field of several columns has a sample of each, which say nothing of what they are together.
        columns = self._of(mapped) if len(mapped.columns) == 1 else []
        style = given or number_style([cell for column in columns for cell in column.sample])
        self._settings[setting] = style
        return style

    def _of(self, mapped: MappedColumns) -> list[Sampled]:
        return [self._statistics[column] for column in mapped.columns if column in self._statistics]

    def _identifier(self, mapped: MappedColumns) -> CellReader:
        self._note(lost_zeros(mapped.field, self._rows_of(mapped.field)))
        floats = self._floats(mapped.field)
        dates = self._made_dates(mapped.field)
        return CodeReader(
            is_placeholder_identifier, whole_floats=floats, joined_by="-", all_needed=True, made_dates=dates
        )

    def _code(self, mapped: MappedColumns) -> CellReader:
        floats = self._floats(mapped.field)
        dates = self._made_dates(mapped.field)
        return CodeReader(is_missing, whole_floats=floats, zero_is_missing=True, needs_digit=True, made_dates=dates)

    def _telephone(self, mapped: MappedColumns) -> CellReader:
        first = self._statistics.get(mapped.columns[0])
        parts = len(mapped.columns) > 1 and first is not None and are_parts(first.sample)
        return TelephoneReader(self._code(mapped), parts=parts)

    def _floats(self, name: str) -> bool:
        setting = f"{name}.whole_floats"
        given = self._given(setting)
        floats = has_whole_floats(self._samples[name]) if given is None else given == _YES
        if floats:
            self._settings[setting] = _YES
        return floats

    def _made_dates(self, name: str) -> bool:
        setting = f"{name}.made_dates"
        cells = self._rows_of(name)
        given = self._given(setting) == _YES
        # The rejected rows of a list may have nothing else, so a profile says it.
        made = given or has_no_letters(cells)
        if given or (made and any(is_made_date(str(cell).strip()) for cell in cells)):
            self._settings[setting] = _YES
        return made

    def _yes_no(self, mapped: MappedColumns) -> CellReader:
        name = mapped.field
        style = yes_no_style(self._samples[name])
        yes, no = self._given(f"{name}.yes"), self._given(f"{name}.no")
        if yes is not None or no is not None:
            style = YesNoStyle(frozenset(_listed(yes)), frozenset(_listed(no)))
        self._settings[f"{name}.yes"] = ", ".join(sorted(style.yes))
        self._settings[f"{name}.no"] = ", ".join(sorted(style.no))
        return self._without_zeros(name, YesNoReader(style))

    def _whole_number(self, mapped: MappedColumns) -> CellReader:
        name = mapped.field
        setting = f"{name}.thousands"
        given = self._given(setting)
        sign, note = thousands_sign(self._samples[name]) if given is None else (given, None)
        self._settings[setting] = sign
        self._note(f"{name}: {note}; a profile (inspect --save) says it with {setting}" if note else "")
        return self._without_zeros(name, WholeNumberReader(sign))

    def _without_zeros(self, name: str, reader: CellReader) -> CellReader:
        setting = f"{name}.zeros"
        style, note = zeros_style(self._given(setting), name, self._samples)
        self._note(f"{note}; a profile (inspect --save) says it with {setting}" if note else "")
        if style is not None:
            self._settings[setting] = style
        return ZeroIsMissing(reader) if style == "missing" else reader

    def _instant(self, mapped: MappedColumns) -> CellReader:
        name = mapped.field
        timezone = self._wishes.timezone or self._given(f"{name}.timezone") or "UTC"
        parser = DateParser(time_zone(timezone), self._now)
        given = self._given(f"{name}.order")
        wished = self._wishes.date_order or next((order for order in get_args(DateOrder) if order == given), None)
        style = date_style(self._samples[name], parser, wished)
        if numbers := self._given(f"{name}.numbers"):
            style = DateStyle(style.order, numbers, style.notes)
        self._settings[f"{name}.timezone"] = timezone
        if style.order:
            self._settings[f"{name}.order"] = style.order
        if style.numbers:
            self._settings[f"{name}.numbers"] = style.numbers
        for note in style.notes:
            self._note(note)
        return InstantReader(style, parser)

    def _rows_of(self, name: str) -> list[object]:
        """Return the cells of a field in the rows of the sample, each once, to count how many rows agree."""
        mapped = next(it for it in self._mapped if it.field == name)
        # Minutes and seconds in columns of their own are no degrees.
        columns = self._of(mapped)[:1] if name in ("latitude", "longitude") else self._of(mapped)
        return [cell for column in columns for cell in column.sample]

    def _note(self, note: str) -> None:
        if note:
            self._notes.append(note)


def _cells(column: Sampled) -> Sequence[object]:
    """Return a sample of a column that has each of its values, if there are few different ones."""
    # Values are text, so in a column of native values they would show how the survey writes those.
    texts = all(isinstance(cell, str) for cell in column.sample)
    return [*column.sample, *column.values] if texts else column.sample


def _listed(words: str | None) -> list[str]:
    return [word for word in (words or "").split(", ") if word]
