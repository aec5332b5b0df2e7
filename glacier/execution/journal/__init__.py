"""The journal: every run is recorded, can be looked at, and can be resumed.

| file        | what                                                                            |
|-------------|---------------------------------------------------------------------------------|
| database.py | the tables in SQLite, their version, and what happens to a damaged one          |
| writer.py   | brings what happens to disk, in batches or at once                              |
| tiny.py     | tasks that are over at once, many in one row                                      |
| book.py     | the entry of one run: listens to its events, keeps its values                   |
| values.py   | which values are kept, and in which form                                        |
| identity.py | what makes a step of one run the same as one of another                         |
| resume.py   | an earlier run, as a later one that goes on with it asks it                     |
| ending.py   | forgetting what nobody will go on with                                          |
| history.py  | looking back, with the frozen data of records.py                                |
| logs.py     | the lines that tasks print and log                                              |
| owner.py    | whether the process of a run still lives                                        |
| seal.py     | a checksum that only this user can make                                         |
"""

from __future__ import annotations

from glacier.execution.journal.book import Book, Plan
from glacier.execution.journal.history import History
from glacier.execution.journal.records import Attempt, LogLine, RunRecord, TaskRecord

__all__ = ["Attempt", "Book", "History", "LogLine", "Plan", "RunRecord", "TaskRecord"]
