"""A key-value cache with room to grow: transformers' own copies all of itself at every token.

That is a twentieth of the time where memory is fast and two fifths where it is slow (docs/log.md, 2026-11-27).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from transformers.cache_utils import DynamicCache, DynamicLayer

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedConfig

ROOM = 32


class RoomyLayer(DynamicLayer):  # type: ignore[misc]  # transformers has no types here
    """Keys and values of one layer, shape ``[rows, heads, tokens, width]``: views of ``room``, which holds more.

    What sampling does to a cache keeps the two together; cropping, reordering and offloading do not.
    """

    room: tuple[torch.Tensor, torch.Tensor]

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: object, **kwargs: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Add the states of new tokens; both are returned with all that came before."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            self.room = key_states[:, :, :0], value_states[:, :, :0]
        held, new = self.get_seq_length(), key_states.shape[-2]
        keys, values = self.room
        self.room = _grown(keys, key_states, held), _grown(values, value_states, held)
        self._show(held + new)
        return self.keys, self.values

    def batch_repeat_interleave(self, repeats: int) -> None:
        """Each row ``repeats`` times."""
        super().batch_repeat_interleave(repeats)
        self.room = self.keys, self.values

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Only these rows, with their room."""
        held = self.get_seq_length()
        keys, values = self.room
        self.room = keys[indices], values[indices]
        self._show(held)

    def _show(self, tokens: int) -> None:
        self.keys, self.values = (room[:, :, :tokens] for room in self.room)


def roomy(config: PreTrainedConfig) -> DynamicCache:
    """An empty cache for a model; layers of another kind (sliding windows, linear attention) are transformers' own."""
    cache = DynamicCache(config=config)
    cache.layers = [RoomyLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache


def _grown(room: torch.Tensor, states: torch.Tensor, held: int) -> torch.Tensor:
    new = states.shape[-2]
    if held + new > room.shape[-2]:
        rows, heads, _, width = states.shape
        # The first tokens are a prompt, which is repeated before it grows: no room yet.
        larger = states.new_empty(rows, heads, held + new + (ROOM if held else 0), width)
        larger[:, :, :held] = room[:, :, :held]
        room = larger
    room[:, :, held : held + new] = states
    return room
