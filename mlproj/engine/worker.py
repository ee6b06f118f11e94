"""A worker: one process that trains one job after the other, and ends at once when its driver does."""

import os
import pickle
import sys
import threading
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue

import torch

from mlproj.data import Dataset
from mlproj.engine.messages import Drop, Order, Result, Rung, Setup
from mlproj.engine.shared import read_shared
from mlproj.engine.watch import Watch
from mlproj.fleet import Shelf, train_crew
from mlproj.records import Job, describe


class Inbox:
    """What the driver says, read by a thread of its own, so that a word reaches a training under way.

    Args:
        connection: To the driver. When it ends the driver is gone, or wants this worker gone.

    Attributes:
        orders: Jobs to train.
        dropped: Positions of jobs to give up, of those that were ordered last.
        answers: One entry for each report that was answered.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.orders: SimpleQueue[Order] = SimpleQueue()
        self.dropped: set[int] = set()
        self.answers: SimpleQueue[None] = SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            while True:
                message = self._connection.recv()
                if isinstance(message, Drop):
                    self.dropped.update(message.positions)
                    if message.is_answer:
                        self.answers.put(None)
                else:
                    self.dropped.clear()  # positions begin anew with each evaluate()
                    self.orders.put(message)
        finally:
            os._exit(0)


def work(connection_file: int, data_file: int) -> None:
    """Trains what the driver orders, for as long as there is a driver.

    Args:
        connection_file: File descriptor of the connection to the driver.
        data_file: That of the shared data set.
    """
    connection = Connection(connection_file)
    try:
        setup: Setup = connection.recv()
        sys.path[:] = setup.path
        torch.set_num_threads(setup.threads)
        dataset, inbox = read_shared(data_file), Inbox(connection)
        shelf = Shelf(Path(setup.shelf), dataset.data_hash) if setup.shelf else None
        while True:
            _carry_out(inbox.orders.get(), dataset, inbox, connection, shelf)
    except (EOFError, ConnectionError):
        os._exit(0)  # the driver is gone


def _carry_out(order: Order, dataset: Dataset, inbox: Inbox, connection: Connection, shelf: Shelf | None) -> None:
    jobs: dict[int, Job] = {}
    for position, content in order.jobs.items():
        try:
            jobs[position] = pickle.loads(content)  # noqa: S301  # written by our own driver
        except Exception as error:  # noqa: BLE001  # of a module that this process cannot import
            connection.send(Result(position, describe(error)))

    def report(epoch: int, values: Mapping[int, Mapping[str, float]]) -> None:
        connection.send(Rung(epoch, values))
        inbox.answers.get()

    watch = Watch(
        order.budgets,
        report=None if order.rungs is None else report,
        rungs=order.rungs or (),
        own_rungs=order.own_rungs,
        is_dropped=inbox.dropped.__contains__,
    )
    for position, result in train_crew(jobs, dataset, on_epoch=watch, shelf=shelf):
        connection.send(Result(position, result))
