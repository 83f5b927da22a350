"""Which design suits a goal and a budget, with the case for and against each."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from doe.advice.advisor import Advice as Advice
    from doe.advice.advisor import advise as advise
    from doe.advice.goals import StudyGoal as StudyGoal
    from doe.advice.proposals import DesignProposal as DesignProposal
else:
    from doe.lazy_exports import lazy_exports

    __getattr__, __dir__ = lazy_exports(
        __name__,
        {
            "Advice": "doe.advice.advisor",
            "DesignProposal": "doe.advice.proposals",
            "StudyGoal": "doe.advice.goals",
            "advise": "doe.advice.advisor",
        },
    )
