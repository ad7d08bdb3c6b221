"""AdamW with clipped gradients, and the learning rate of each step."""

import numpy as np

FAST, SLOW, DECAY, TINY = 0.9, 0.98, 0.5, 1e-8
WARM_UP_STEPS = 50
FLAT_UNTIL = 0.3  # share of the steps before the linear descent begins


def learning_rate(step: int, steps: int, peak: float) -> float:
    done = step / steps
    descent = 1.0 if done < FLAT_UNTIL else (1 - done) / (1 - FLAT_UNTIL)
    return peak * min(1.0, step / WARM_UP_STEPS) * max(0.02, descent)


class AdamW:
    """Holds the running means of the gradients and of their squares."""

    def __init__(self, weights):
        self.mean = {name: np.zeros_like(w) for name, w in weights.items()}
        self.square = {name: np.zeros_like(w) for name, w in weights.items()}
        self.steps = 0

    def update(self, weights, gradients, rate: float) -> None:
        """Changes the weights in place."""
        self.steps += 1
        norm = np.sqrt(sum(float(np.vdot(g, g)) for g in gradients.values()))
        clip = min(1.0, 1.0 / (norm + 1e-9))
        for name, w in weights.items():
            # plain floats keep float32 arrays float32
            g = gradients[name] * np.float32(clip)
            mean, square = self.mean[name], self.square[name]
            mean += (1 - FAST) * (g - mean)
            square += (1 - SLOW) * (g * g - square)
            scale = np.sqrt(square / (1 - SLOW**self.steps)) + TINY
            if w.ndim > 1:
                w *= 1 - rate * DECAY
            w -= (rate / (1 - FAST**self.steps)) * mean / scale
