from worker.contract import Rejection
from worker.jobs.records import validated


async def test_each_invalid_record_is_rejected_by_itself_wherever_it_is() -> None:
    invalid = {0: {}, 199: None, 200: {"hospital_name": 7}, 999: {"hospital_name": "A", "unknown": 1}}
    raw = [invalid.get(index, {"hospital_name": f"Hospital {index}"}) for index in range(1_000)]

    records = await validated(raw)

    rejected = {record.index: record.problems for record in records if isinstance(record, Rejection)}
    assert rejected == {
        0: ["records[0].hospital_name: Field required"],
        199: ["records[199]: Input should be a valid dictionary"],
        200: ["records[200].hospital_name: Input should be a valid string"],
        999: ["records[999].unknown: unknown field"],
    }
    names = [record["hospital_name"] for record in records if not isinstance(record, Rejection)]
    assert names == [f"Hospital {index}" for index in range(1_000) if index not in invalid]
