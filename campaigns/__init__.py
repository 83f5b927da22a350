"""What to run next, and the record of every decision."""

from typing import TYPE_CHECKING

from doe.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from campaigns.batch import Batch as Batch
    from campaigns.campaign import Campaign as Campaign
    from campaigns.confounding import Confounding as Confounding
    from campaigns.confounding import find_confounding as find_confounding
    from campaigns.definition import CampaignDefinition as CampaignDefinition
    from campaigns.demo import example_data as example_data
    from campaigns.demo import example_definition as example_definition
    from campaigns.envelope import Actor as Actor
    from campaigns.envelope import Event as Event
    from campaigns.exports.figures import draw as draw
    from campaigns.ledger import Head as Head
    from campaigns.ledger import Ledger as Ledger
    from campaigns.ledger import RecordCheck as RecordCheck
    from campaigns.maps import ReliabilityMap as ReliabilityMap
    from campaigns.maps import map_reliability as map_reliability
    from campaigns.recommending.bayesian import BayesianStrategy as BayesianStrategy
    from campaigns.recommending.space_filling import SpaceFillingStrategy as SpaceFillingStrategy
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
    from campaigns.validations import validate_model as validate_model
    from campaigns.validations import validation_plot as validation_plot

_EXPORTS: dict[str, str] = {
    "Actor": "campaigns.envelope",
    "Batch": "campaigns.batch",
    "BatchRequest": "campaigns.recommending.strategy",
    "BayesianStrategy": "campaigns.recommending.bayesian",
    "Campaign": "campaigns.campaign",
    "CampaignDefinition": "campaigns.definition",
    "CampaignState": "campaigns.state",
    "Confounding": "campaigns.confounding",
    "Event": "campaigns.envelope",
    "Head": "campaigns.ledger",
    "Ledger": "campaigns.ledger",
    "Proposal": "campaigns.recommending.strategy",
    "ProposedRun": "campaigns.recommending.strategy",
    "Reason": "campaigns.recommending.strategy",
    "RecordCheck": "campaigns.ledger",
    "ReliabilityMap": "campaigns.maps",
    "Reproduction": "campaigns.reproduction",
    "ResponsePrediction": "campaigns.recommending.strategy",
    "RunRecord": "campaigns.state",
    "SpaceFillingStrategy": "campaigns.recommending.space_filling",
    "Strategy": "campaigns.recommending.strategy",
    "StrategyContext": "campaigns.recommending.strategy",
    "draw": "campaigns.exports.figures",
    "example_data": "campaigns.demo",
    "example_definition": "campaigns.demo",
    "find_confounding": "campaigns.confounding",
    "map_reliability": "campaigns.maps",
    "replay": "campaigns.state",
    "validate_model": "campaigns.validations",
    "validation_plot": "campaigns.validations",
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_exports(__name__, _EXPORTS)
