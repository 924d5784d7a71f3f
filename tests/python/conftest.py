"""One torch thread: the tests run side by side on small machines, and sums must not depend on the thread count."""

import hypothesis
import torch

torch.set_num_threads(1)
hypothesis.settings.register_profile("default", deadline=None, max_examples=60)
hypothesis.settings.load_profile("default")
