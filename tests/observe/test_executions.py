"""What a lazy plan executes again counts once, and other inputs add."""

from __future__ import annotations

from mega_data_factory.observe.counting.account import Account
from mega_data_factory.observe.driver.recording.ledger import Ledger
from mega_data_factory.observe.engines.executions import Executions, WorkName


class Driver:
    """Executions before a ledger, as an engine has them."""

    def __init__(self) -> None:
        self.executions = Executions()
        self.ledger = Ledger()

    def ran(
        self,
        execution: str,
        records: int,
        *,
        task: str = "t0",
        attempt: int = 0,
        first: str = "",
        step: str = "s",
        worker: str = "w",
        piece: int = 0,
    ) -> None:
        """Deliver the account of a task."""
        key = WorkName(execution, task, attempt, float(attempt), piece, first).to_key()
        account = Account(step, worker, key, f"{task}/{attempt}", "ray-data", 1.0)
        account.add_call(0.1, records, records)
        self.executions.enter(account)

    def records(self, step: str = "s") -> int:
        """Return the input records of a step."""
        self.executions.settle(self.ledger.take)
        self.ledger.settle()
        return sum(account.input_records for account in self.ledger.totals() if account.step == step)


def test_tasks_of_one_execution_add_up_whatever_they_hold() -> None:
    """Two tasks with equal inputs are twins, not a retry."""
    driver = Driver()
    driver.ran("my data_0", 10, task="t0", first="same")
    driver.ran("my data_0", 10, task="t1", first="same")
    assert driver.records() == 20
    assert driver.executions.repetitions() == []


def test_a_retry_replaces_its_task_and_the_later_attempt_counts() -> None:
    """Also where the account of the earlier attempt arrives last, as a file is read later."""
    driver = Driver()
    driver.ran("e", 10, attempt=1, worker="b")
    assert driver.records() == 10
    driver.ran("e", 7, attempt=0, worker="a")
    assert driver.records() == 10
    driver.ran("e", 12, attempt=2, worker="c")
    assert driver.records() == 12
    assert driver.ledger.repeated == 1


def test_a_second_execution_of_the_same_input_counts_once() -> None:
    """The first of equal ones counts, and it is known how often the step was executed."""
    driver = Driver()
    for execution in ("count", "write"):
        for task in range(4):
            driver.ran(execution, 10, task=f"{execution}{task}", first=f"block-{task}")
        assert driver.records() == 40
    assert driver.executions.repetitions() == [("s", 2)]
    assert driver.ledger.repeated == 0


def test_a_glance_before_the_whole_counts_for_nothing_beside_it() -> None:
    """`take(5)`, then the whole: what was counted of the glance is withdrawn, also from the rows of its worker."""
    driver = Driver()
    driver.ran("take", 5, task="a", first="block-0", worker="w1")
    assert driver.records() == 5
    driver.ran("write", 10, task="b", first="block-1", worker="w2")
    assert driver.records() == 15  # nothing says yet that it is the same input
    driver.ran("write", 10, task="c", first="block-0", worker="w2")
    assert driver.records() == 20
    workers = {account.worker: account.input_records for account in driver.ledger.totals()}
    assert workers == {"w1": 0, "w2": 20}
    assert driver.executions.repetitions() == [("s", 2)]


def test_a_glance_after_the_whole_changes_nothing() -> None:
    """The execution with most records counts, not the last."""
    driver = Driver()
    for task in range(4):
        driver.ran("write", 10, task=f"t{task}", first=f"block-{task}")
    assert driver.records() == 40
    driver.ran("take", 5, task="x", first="block-2")
    assert driver.records() == 40


def test_other_inputs_add() -> None:
    """A loop over files with one step: each file is an execution of its own."""
    driver = Driver()
    for file in range(3):
        for task in range(10):
            first = "the-same-head" if task == 0 else f"file-{file}-block-{task}"
            driver.ran(f"e{file}", 10, task=f"{file}.{task}", first=first)
    assert driver.records() == 300
    assert driver.executions.repetitions() == []


def test_executions_are_one_for_all_their_steps() -> None:
    """Behind a shuffle first records differ each time: the step before it tells that the input is the same."""
    driver = Driver()
    for execution in ("one", "two"):
        driver.ran(execution, 10, task=f"{execution}a", first="block", step="before")
        driver.ran(execution, 10, task=f"{execution}b", first=f"shuffled-{execution}", step="behind")
    assert driver.records("before") == 10
    assert driver.records("behind") == 10


def test_pieces_of_a_task_add_up_and_a_retry_replaces_them_all() -> None:
    """A task that was killed after two pieces: its retry, on another worker, delivers one, or three."""
    for pieces in (1, 3):
        driver = Driver()
        driver.ran("e", 3, worker="killed")
        assert driver.records() == 3
        driver.ran("e", 4, piece=1, worker="killed")
        assert driver.records() == 7
        for piece in range(pieces):
            driver.ran("e", 10, attempt=1, piece=piece, worker="other")
        assert driver.records() == 10 * pieces
        workers = {account.worker: account.input_records for account in driver.ledger.totals()}
        assert workers == {"killed": 0, "other": 10 * pieces}


def test_pieces_of_both_attempts_arrive_at_once() -> None:
    """Files are read in any order."""
    driver = Driver()
    driver.ran("e", 10, attempt=1, piece=0)
    driver.ran("e", 3, attempt=0, piece=0)
    driver.ran("e", 4, attempt=0, piece=1)
    driver.ran("e", 5, attempt=1, piece=1)
    assert driver.records() == 15


def test_pieces_of_an_execution_that_does_not_count_are_withdrawn() -> None:
    """Also those of a glance whose task was tried twice."""
    driver = Driver()
    driver.ran("take", 5, task="a", first="block-0")
    driver.ran("take", 5, task="a", piece=1)
    assert driver.records() == 10
    driver.ran("take", 6, task="a", attempt=1, first="block-0")
    driver.ran("write", 50, task="b", first="block-0")
    assert driver.records() == 50
