"""The weighted mean of several networks: what an ensemble answers, and what its members must have in common.

    A[L] = sum over members k of w_k (1 / F_k) sum over f of A_k[L][f],   where w_k > 0 and sum of w_k = 1

Outputs are averaged, not logits: probabilities stay probabilities, and targets are averaged on the scale they were
trained on.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.activations import FloatArray
from engine.errors import EngineError
from engine.heads import HEADS
from engine.network import Architecture, Parameters, forward

WEIGHTS_TOLERANCE = 1e-9
"""How far from 1 the sum of the weights may be: rounding of a thousand of them is far below."""


@dataclass(frozen=True, slots=True)
class Member:
    """A stack of F networks and its share of the ensemble's answer.

    Attributes:
        architecture: Shared by the F networks.
        parameters: The stack; F = 1 for a refitted winner, the number of folds for a trial's fold models.
        weight: Above 0; each of the F networks counts weight / F.
    """

    architecture: Architecture
    parameters: Parameters
    weight: float = 1.0

    @property
    def n_networks(self) -> int:
        """F."""
        return len(self.parameters.W[0])


def is_single(members: Sequence[Member]) -> bool:
    """Whether the ensemble is one network alone."""
    return len(members) == 1 and members[0].n_networks == 1


def check_members(members: Sequence[Member]) -> None:
    """Raise an EngineError unless the members make an ensemble.

    Raises:
        ShapeError: Parameters do not fit their architecture.
        EngineError: No members, a stack without networks, members that differ in n[0], n[L] or head, or weights that
            are not positive or do not sum to 1.
    """
    if not members:
        raise EngineError("ensemble: it has no members. It needs one at least; pass a network.")
    first = members[0].architecture
    for number, member in enumerate(members, start=1):
        architecture = member.architecture
        member.parameters.check(architecture)
        if member.n_networks == 0:
            raise EngineError(
                f"ensemble: member {number} is a stack of 0 networks. It needs one at least; leave it out."
            )
        for what, mine, shared in (
            ("features", architecture.n_features, first.n_features),
            ("outputs", architecture.n_outputs, first.n_outputs),
            ("head", architecture.head, first.head),
        ):
            if mine != shared:
                raise EngineError(
                    f"ensemble: member {number} has {what} {mine}, member 1 has {shared}. They must be equal; "
                    "put together networks that were trained on the same columns for the same targets."
                )
        if not member.weight > 0:
            raise EngineError(
                f"ensemble: member {number} has weight {member.weight}. It must be above 0; leave the member out."
            )
    total = math.fsum(member.weight for member in members)
    if not abs(total - 1) <= WEIGHTS_TOLERANCE:
        raise EngineError(f"ensemble: the weights sum to {total}. They must sum to 1; divide them by their sum.")


def mean_outputs(members: Sequence[Member], X: FloatArray) -> FloatArray:
    """What the ensemble answers on any examples.

    Args:
        members: As `check_members` demands.
        X: (n[0], m), or (F, n[0], m) where each network of a stack has its own; scaled as the training inputs were.
    Returns:
        (n[L], m): the single network's A[L] in its own dtype, bit for bit; of several, their mean in float64.
    Raises:
        ShapeError: X does not have n[0] rows.
    """
    if is_single(members):
        _, A = forward(members[0].parameters, X, members[0].architecture)
        single: FloatArray = A[0]
        return single
    mean = np.zeros((members[0].architecture.n_outputs, X.shape[-1]))
    for member in members:
        _, A = forward(member.parameters, X, member.architecture)
        mean += member.weight * A.mean(axis=0, dtype=np.float64)
    if HEADS[members[0].architecture.head].is_classifier:
        np.minimum(mean, 1, out=mean)  # rounded weights may make of a sure answer 1 + 2e-16, which is no probability
    return mean


def n_held_at_once(members: Sequence[Member]) -> int:
    """Numbers held for one example while it passes through the widest layer of any member, or as its inputs.

    Members pass one after the other, the networks of a stack together.
    """
    return max(max(member.architecture.n_features, _n_widest(member)) for member in members)


def _n_widest(member: Member) -> int:
    return member.n_networks * max(member.architecture.layer_sizes[1:])
