"""What to run next, and the record of every decision."""

from typing import TYPE_CHECKING

from doe.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from campaigns.batch import Batch as Batch
    from campaigns.campaign import Campaign as Campaign
    from campaigns.definition import CampaignDefinition as CampaignDefinition
    from campaigns.envelope import Actor as Actor
    from campaigns.envelope import Event as Event
    from campaigns.ledger import Head as Head
    from campaigns.ledger import Ledger as Ledger
    from campaigns.ledger import RecordCheck as RecordCheck
    from campaigns.recommending.bayesian import BayesianStrategy as BayesianStrategy
    from campaigns.recommending.strategy import BatchRequest as BatchRequest
    from campaigns.recommending.strategy import Proposal as Proposal
    from campaigns.recommending.strategy import ProposedRun as ProposedRun
    from campaigns.recommending.strategy import Reason as Reason
    from campaigns.recommending.strategy import ResponsePrediction as ResponsePrediction
    from campaigns.recommending.strategy import Strategy as Strategy
    from campaigns.recommending.strategy import StrategyContext as StrategyContext
    from campaigns.reproduction import Reproduction as Reproduction
    from campaigns.state import CampaignState as CampaignState
    from campaigns.state import RunRecord as RunRecord
    from campaigns.state import replay as replay

_EXPORTS: dict[str, str] = {
    "Actor": "campaigns.envelope",
    "Batch": "campaigns.batch",
    "BatchRequest": "campaigns.recommending.strategy",
    "BayesianStrategy": "campaigns.recommending.bayesian",
    "Campaign": "campaigns.campaign",
    "CampaignDefinition": "campaigns.definition",
    "CampaignState": "campaigns.state",
    "Event": "campaigns.envelope",
    "Head": "campaigns.ledger",
    "Ledger": "campaigns.ledger",
    "Proposal": "campaigns.recommending.strategy",
    "ProposedRun": "campaigns.recommending.strategy",
    "Reason": "campaigns.recommending.strategy",
    "RecordCheck": "campaigns.ledger",
    "Reproduction": "campaigns.reproduction",
    "ResponsePrediction": "campaigns.recommending.strategy",
    "RunRecord": "campaigns.state",
    "Strategy": "campaigns.recommending.strategy",
    "StrategyContext": "campaigns.recommending.strategy",
    "replay": "campaigns.state",
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_exports(__name__, _EXPORTS)
