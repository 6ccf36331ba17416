"""Reconciliation of an evaluation's data passport: its digest, and what follows from the rest of the document."""

from datetime import timedelta
from itertools import pairwise

from gatekeeper.documents.evaluation import EvaluationDocument
from gatekeeper.documents.passport import FORMAT, Passport, digest_of
from gatekeeper.judgement.report.figures import Told, is_right

SEVERITIES = ("refused", "warning", "note")
A_SESSION = timedelta(days=2)
KEPT = 5  # bars of each symbol by digest


def faults(document: EvaluationDocument) -> Told:
    """What of the data passport contradicts itself or the document, in sentences."""
    passport = document.data.passport
    if passport is None:
        return
    yield from is_right("the digest of the data passport", digest_of(passport), passport.digest)
    yield from is_right("the format of the data passport", FORMAT, passport.format)
    yield from is_right("the as-of of the data passport", document.window.as_of, passport.as_of)
    yield from is_right("the source of the data passport", document.data.source, passport.source)
    yield from is_right("the notes of the data passport", document.data.notes, passport.notes)
    if passport.refused:
        yield "its data were refused, and it was judged nevertheless"
    ranks = [SEVERITIES.index(each.severity) for each in passport.findings]
    if ranks != sorted(ranks):
        yield "the findings of the data passport aren't in the order of their severity"
    yield from _bars(document, passport)
    ideas = passport.ideas
    if ideas is None or not document.scorecards.ungated.ideas <= ideas.ideas or not 0 <= ideas.won <= ideas.ideas:
        yield "the data passport has fewer ideas than the evaluation, or more that won than there are"


def _bars(document: EvaluationDocument, passport: Passport) -> Told:
    if passport.symbols:  # a calendar's session may end before the bar that is named after its day
        newest = max(each.last for each in passport.symbols)
        if abs(newest - document.data.newest) > A_SESSION:
            yield f"the newest bar of the data passport closed at {newest.isoformat()}, and the newest data are others"
    for each in passport.symbols:
        closes = [bar.closes_at for bar in each.newest_bars]
        whole = len(closes) == min(KEPT, each.bars) and all(one < other for one, other in pairwise(closes))
        if not whole or closes[-1] != each.last or each.first >= each.last:
            yield f"the bars of {each.symbol} in the data passport don't fit its count, its first or its last bar"
