"""Rows after the as-of, of any content, to show that they don't matter."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from hypothesis import strategies as st

ABSURD = [None, "abc", 1e300, -1.0, 0.0, "", "1e-9", float("inf"), 10**20]


@dataclass(frozen=True)
class Poison:
    """One way to spoil the future: rows cut, spoilt, moved on, twice over; and all rows in any order and files."""

    value: object
    days: int
    cut: float
    twice: bool
    naive: bool
    files: int
    seed: int

    def spoil(self, frame: pd.DataFrame, as_of: datetime, times: list[str], values: list[str]) -> pd.DataFrame:
        """`frame` with what came after `as_of` spoilt, in every column of `times` and of `values`.

        A value is spoilt where the last of the row's times is after the as-of; the row's other times, where they are.
        """
        bad = frame.astype(dict.fromkeys([*times, *values], object))
        came = {name: pd.to_datetime(frame[name], utc=True) for name in times}
        late = np.logical_or.reduce([(came[name] > as_of).to_numpy() for name in times])
        begun = (came[times[0]] > as_of).to_numpy()
        shape = "%Y-%m-%dT%H:%M:%S" if self.naive else "%Y-%m-%dT%H:%M:%SZ"
        for name in times:
            moves = (came[name] > as_of).to_numpy()
            bad.loc[moves, name] = (came[name][moves] + timedelta(days=self.days)).dt.strftime(shape)
        bad.loc[begun, values] = self.value
        bad.loc[late, values[-1]] = self.value
        chance = np.random.default_rng(self.seed)
        stays = ~begun | (chance.random(len(bad)) >= self.cut)
        again = bad[begun & stays].assign(**{values[-1]: 7.0}) if self.twice else bad[:0]
        return pd.concat([bad[stays], again]).sample(frac=1.0, random_state=self.seed)

    def write(self, frame: pd.DataFrame, folder: Path) -> None:
        """As so many files, whose names say nothing of their order; those of before go."""
        for old in folder.iterdir():
            old.unlink()
        chance = np.random.default_rng(self.seed)
        place = chance.integers(0, self.files, len(frame))
        for number, name in enumerate(chance.permutation(self.files)):
            if (place == number).any():
                frame[place == number].to_csv(folder / f"part{name}.csv", index=False)


AS_IT_IS = Poison(None, 0, 0.0, twice=False, naive=False, files=1, seed=0)

poisons = st.builds(
    Poison,
    value=st.sampled_from(ABSURD),
    days=st.integers(0, 9000),
    cut=st.sampled_from([0.0, 0.5, 1.0]),
    twice=st.booleans(),
    naive=st.booleans(),
    files=st.integers(1, 3),
    seed=st.integers(0, 99),
)
