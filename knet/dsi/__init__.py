"""De-DSI: small models that retrieve passage ids for a question, trained and published for each shard.

Search (`DsiRetriever`) and `fetch_model` need numpy; training (`train_collection`) needs torch.
"""

from .collection import Plan, load_models, train_collection
from .corpus import Passages, Questions
from .ensemble import FLOOR, Candidate, DsiRetriever
from .examples import Settings
from .model import Model
from .pairs import Pair, SignedPair, WeightedPair, sign_pair, weight_pairs
from .publish import fetch_model, publish_model

__all__ = [
    "FLOOR",
    "Candidate",
    "DsiRetriever",
    "Model",
    "Pair",
    "Passages",
    "Plan",
    "Questions",
    "Settings",
    "SignedPair",
    "WeightedPair",
    "fetch_model",
    "load_models",
    "publish_model",
    "sign_pair",
    "train_collection",
    "weight_pairs",
]
