"""What people run, held against `pgtlab`: rlax, Stable-Baselines3 and TRL, their own functions called.

They weigh more than all else that the tests need, and have an environment of their own: `make test-libraries`
makes it, and asks that none be missing. What a library is asked for is what its training does, on random
inputs: no line of it is written down here a second time.
"""

from __future__ import annotations

import importlib
import itertools
import os
import warnings
from collections import defaultdict
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from pgtlab import (
    Advantages,
    SoftmaxPolicy,
    action_values,
    advantages,
    checks,
    policy_gradient,
    rollout,
    state_visitation,
)
from pgtlab.arrays import discounted_returns, gae, lambda_returns, td_errors
from pgtlab.estimators import estimate_gradient
from pgtlab.language import (
    GroupUpdate,
    KLUpdate,
    answer_gradient,
    audit,
    from_torch,
    group_mean,
    leave_one_out,
    mean_update,
    raw,
    sampled_update,
    standard_tree,
    standardised,
)
from pgtlab.language.updates import ESTIMATORS
from tests.problems import random_problem

WAY = "`make test-libraries` installs it"

#: Discounts and lambdas, their extremes among them.
EXTREMES = (0.0, 0.5, 0.97, 1.0)
BOTH = list(itertools.product(EXTREMES, EXTREMES))

#: Steps and columns.
SHAPES = ((1, 1), (2, 3), (7, 1), (40, 5))


def library(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if os.environ.get("PGT_LIBRARIES") == "all":
            return importlib.import_module(name)
        return pytest.importorskip(name, reason=f"{name} is not installed, nothing to hold against: {WAY}")


def record(shape, seed=0):
    """Rewards, values, next values, and where episodes ended and were cut off, now and then both."""
    rng = np.random.default_rng([seed, *shape])
    rewards, values, following = rng.normal(size=(3, *shape))
    terminated, truncated = rng.random((2, *shape)) < 0.25
    following[:-1] = np.where(terminated | truncated, following, np.roll(values, -1, axis=0))[:-1]
    return rewards, values, following, terminated, truncated


# --- rlax ------------------------------------------------------------------------------------------------


@pytest.fixture
def rlax():
    """The library, in float64, each function of it over columns."""
    found, jax = library("rlax"), library("jax")
    with jax.enable_x64(True):
        yield SimpleNamespace(jax=jax, np=jax.numpy, of=found)


def by_column(rlax, function):
    """The function over columns, compiled once for each shape."""
    return rlax.jax.jit(rlax.jax.vmap(function, in_axes=1, out_axes=1))


def discounts_and_lambdas(gamma, lam, terminated, truncated):
    """An end is a discount of 0 for rlax, and a cut a lambda of 0: what follows counts by its value."""
    return gamma * ~terminated, lam * ~truncated


def test_lambda_returns_are_those_of_rlax(rlax):
    estimate = by_column(rlax, rlax.of.lambda_returns)
    for shape, (gamma, lam) in itertools.product(SHAPES, BOTH):
        rewards, _, following, terminated, truncated = record(shape)
        discounts, lambdas = discounts_and_lambdas(gamma, lam, terminated, truncated)
        theirs = estimate(rewards, discounts, following, lambdas)
        ours = lambda_returns(rewards, following, gamma, lam, terminated=terminated, truncated=truncated)
        assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)


def test_gae_is_that_of_rlax(rlax):
    """Which has one row of values: the state that was reached is that of the next row."""
    estimate = by_column(rlax, rlax.of.truncated_generalized_advantage_estimation)
    for shape, (gamma, lam) in itertools.product(SHAPES, BOTH):
        rewards, values, following, terminated, truncated = record(shape)
        along = np.concatenate([values, following[-1:]])
        discounts, lambdas = discounts_and_lambdas(gamma, lam, terminated, truncated)
        theirs = estimate(rewards, discounts, lambdas, along)
        ends = {"terminated": terminated, "truncated": truncated}
        ours = gae(rewards, values, along[1:], gamma, lam, **ends)
        assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)


def test_returns_and_td_errors_are_those_of_rlax(rlax):
    step = rlax.jax.jit(rlax.jax.vmap(rlax.jax.vmap(rlax.of.td_learning)))
    along = by_column(rlax, rlax.of.discounted_returns)
    for shape, gamma in itertools.product(SHAPES, EXTREMES):
        rewards, values, following, ends, _ = record(shape)
        theirs = step(values, rewards, gamma * ~ends, following)
        ours = td_errors(rewards, values, following, gamma, terminated=ends)
        assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)
        theirs = along(rewards, gamma * ~ends, 0 * values)
        assert_allclose(discounted_returns(rewards, gamma, ends=ends), theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("epsilon", [0.0, 0.2, 0.9])
@pytest.mark.parametrize("n", [1, 2, 200])
def test_the_clip_is_that_of_rlax(rlax, n, epsilon):
    rng = np.random.default_rng(n)
    l, old = -rng.exponential(size=(2, n))
    A = rng.normal(size=n)

    def loss(l):
        return rlax.of.clipped_surrogate_pg_loss(rlax.np.exp(l - old), rlax.np.asarray(A), epsilon)

    # Each step is an answer of one token, with its advantage for a reward.
    group = l[:, None], old[:, None], old[:, None]
    ours = GroupUpdate(raw, clip=(epsilon, epsilon)).weights(*group, A, np.ones((n, 1)))[:, 0]
    assert_allclose(ours, -rlax.jax.grad(loss)(rlax.np.asarray(l)), rtol=1e-12, atol=1e-12)
    assert n < 200 or 0 < (ours == 0).mean() < 1


@pytest.mark.filterwarnings("ignore:Rlax softmax:PendingDeprecationWarning")
@pytest.mark.parametrize("seed", range(3))
def test_the_estimate_from_paths_descends_in_the_loss_of_rlax(rlax, seed):
    rng = np.random.default_rng(seed)
    mdp, policy = random_problem(rng, discount=0.9, features="tabular")
    A, T, N = advantages(mdp, policy), 12, 40
    paths = rollout(mdp, policy, n_episodes=N, horizon=T, rng=rng)
    s, a, alive = paths.states[:-1], paths.actions, paths.alive
    weights = np.where(alive, mdp.discount ** np.arange(T)[:, None], 0.0)
    s, a = np.where(alive, s, 0), np.where(alive, a, 0)

    def loss(theta):
        logits = theta.reshape(mdp.n_states, mdp.n_actions)[s.ravel()]
        seen = a.ravel(), A[s, a].ravel(), weights.ravel()
        return rlax.of.policy_gradient_loss(logits, *map(rlax.np.asarray, seen))

    # The mean of rlax is over all steps, ours over episodes.
    theirs = -T * rlax.jax.grad(loss)(rlax.np.asarray(policy.parameters))
    assert_allclose(estimate_gradient(paths, Advantages(A)).mean, theirs, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_the_theorem_descends_in_the_loss_of_all_actions_of_rlax(rlax, seed):
    rng = np.random.default_rng(seed)
    mdp, policy = random_problem(rng, discount=0.9, features="tabular")
    Q, rho = action_values(mdp, policy), state_visitation(mdp, policy)

    def loss(theta):
        logits = theta.reshape(mdp.n_states, mdp.n_actions)
        each = [rlax.of.qpg_loss(logits[s, None], rlax.np.asarray(Q[s, None])) for s in range(mdp.n_states)]
        return rlax.np.dot(rho, rlax.np.stack(each))

    theirs = -rlax.jax.grad(loss)(rlax.np.asarray(policy.parameters))
    assert_allclose(policy_gradient(mdp, policy), theirs, rtol=1e-10, atol=1e-12)


# --- Stable-Baselines3 -----------------------------------------------------------------------------------


@pytest.fixture
def baselines():
    return SimpleNamespace(
        of=library("stable_baselines3"),
        buffers=library("stable_baselines3.common.buffers"),
        envs=library("stable_baselines3.common.vec_env"),
        gym=library("gymnasium"),
        torch=library("torch"),
    )


def test_gae_is_that_of_the_buffer_of_stable_baselines(baselines):
    """Which knows where episodes begin; a cut is for its caller to put into the reward (the test below)."""
    spaces = baselines.gym.spaces
    for (T, N), (gamma, lam) in itertools.product(SHAPES, BOTH):
        rewards, values, following, ends, _ = record((T, N))
        following[:-1] = values[1:]
        buffer = baselines.buffers.RolloutBuffer(
            T, spaces.Discrete(2), spaces.Discrete(2), "cpu", lam, gamma, N
        )
        # Its arrays are float32; with ours in their place it computes in float64.
        buffer.rewards, buffer.values, buffer.advantages = rewards.copy(), values.copy(), np.zeros((T, N))
        buffer.episode_starts = np.concatenate([np.ones((1, N)), ends[:-1]])
        buffer.compute_returns_and_advantage(baselines.torch.tensor(following[-1]), ends[-1])
        ours = gae(rewards, values, following, gamma, lam, terminated=ends)
        assert_allclose(ours, buffer.advantages, rtol=1e-12, atol=1e-12)
        ours = lambda_returns(rewards, following, gamma, lam, terminated=ends)
        assert_allclose(ours, buffer.returns, rtol=1e-12, atol=1e-12)


STATES, ACTIONS, STEPS, COLUMNS = 4, 2, 64, 3


def ppo(baselines, env, **settings):
    """PPO whose policy is a table, and whose one step is minus the derivative of its loss."""
    settings = {"n_steps": STEPS, "batch_size": STEPS * COLUMNS, "n_epochs": 1, "seed": 1} | settings
    kwargs = {"net_arch": [], "optimizer_class": baselines.torch.optim.SGD}
    still = {"vf_coef": 0.0, "ent_coef": 0.0, "max_grad_norm": np.inf, "learning_rate": 1.0, "device": "cpu"}
    model = baselines.of.PPO("MlpPolicy", env, policy_kwargs=kwargs, **still, **settings)
    _, callback = model._setup_learn(10**6)
    return model, callback


def walks(baselines, seen):
    """Environments that end and are cut off, each of which writes down what it saw."""
    gym = baselines.gym

    class Walk(gym.Env):
        observation_space, action_space = gym.spaces.Discrete(STATES), gym.spaces.Discrete(ACTIONS)

        def reset(self, *, seed=None, options=None):
            super().reset(seed=seed)
            self.state = int(self.np_random.integers(STATES))
            return self.state, {}

        def step(self, action):
            self.state = int(self.np_random.integers(STATES))
            end = bool(self.np_random.random() < 0.2)
            return self.state, float(self.np_random.normal() + action), end, False, {}

    class Seen(gym.Wrapper):
        def __init__(self, env, seen):
            super().__init__(env)
            self.seen = seen

        def reset(self, **kwargs):
            self.state, info = self.env.reset(**kwargs)
            return self.state, info

        def step(self, action):
            found = self.env.step(action)
            self.seen.append((self.state, *found[:-1]))
            self.state = found[0]
            return found

    def maker(column):
        return lambda: Seen(gym.wrappers.TimeLimit(Walk(), 4), column)

    return baselines.envs.DummyVecEnv([maker(column) for column in seen])


@pytest.mark.parametrize(("gamma", "lam"), [(0.97, 0.9), (1.0, 1.0), (0.9, 0.0)])
def test_gae_is_that_which_ppo_of_stable_baselines_trains_on(baselines, gamma, lam):
    """Rewards, ends and cuts as the environments said them, with the values of its own critic."""
    seen = [[] for _ in range(COLUMNS)]
    model, callback = ppo(baselines, walks(baselines, seen), gamma=gamma, gae_lambda=lam)
    model.collect_rollouts(model.env, callback, model.rollout_buffer, STEPS)
    columns = [list(zip(*column, strict=True)) for column in seen]
    s, after, rewards, terminated, truncated = (np.array(each).T for each in zip(*columns, strict=True))
    with baselines.torch.no_grad():
        V = model.policy.predict_values(baselines.torch.arange(STATES)[:, None])[:, 0].double().numpy()
    assert terminated.any()
    assert (truncated & ~terminated).sum() > 5
    ours = gae(rewards, V[s], V[after], gamma, lam, terminated=terminated, truncated=truncated)
    assert_allclose(ours, model.rollout_buffer.advantages, rtol=1e-4, atol=1e-5)
    ours = lambda_returns(rewards, V[after], gamma, lam, terminated=terminated, truncated=truncated)
    if lam == 1.0:
        assert_allclose(ours, model.rollout_buffer.returns, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("epsilon", [0.1, 0.2, 0.5])
@pytest.mark.parametrize("normalised", [False, True])
def test_the_step_of_ppo_of_stable_baselines_is_the_clipped_update(baselines, epsilon, normalised):
    torch, rng = baselines.torch, np.random.default_rng(1)
    env = walks(baselines, [[] for _ in range(COLUMNS)])
    model, _ = ppo(baselines, env, clip_range=epsilon, normalize_advantage=normalised)
    logits, others = rng.normal(size=(2, STATES, ACTIONS)).astype(np.float32).astype(float)
    policy, old = SoftmaxPolicy.tabular(logits), SoftmaxPolicy.tabular(others)
    s = rng.integers(STATES, size=(STEPS, COLUMNS))
    a, A = rng.integers(ACTIONS, size=s.shape), rng.normal(size=s.shape) + 0.3
    layer, buffer = model.policy.action_net, model.rollout_buffer
    with torch.no_grad():
        layer.bias.zero_()
        layer.weight.copy_(torch.tensor(logits.T))
    buffer.reset()
    buffer.observations[..., 0], buffer.actions[..., 0] = s, a
    buffer.log_probs[:], buffer.advantages[:] = old.log_probs()[s, a], A
    buffer.full = True
    model.train()
    theirs = layer.weight.detach().double().numpy().T - logits

    l, old_l = (each.log_probs()[s, a].reshape(-1, 1) for each in (policy, old))
    advantage = (lambda rewards: standardised(rewards, ddof=1)) if normalised else raw
    update = GroupUpdate(advantage, clip=(epsilon, epsilon))
    W = update.weights(l, old_l, old_l, A.ravel(), np.ones_like(l)).ravel()
    by_pair = np.bincount((s * ACTIONS + a).ravel(), W, STATES * ACTIONS).reshape(STATES, ACTIONS)
    assert_allclose(policy.score_sum(by_pair), theirs.ravel(), rtol=1e-4, atol=1e-5)
    assert np.abs(theirs).max() > 0.01
    assert 0.05 < (W == 0).mean() < 0.95
    # What it logs as the KL is k3 of the policy that answered, from the one that learns.
    logged = model.logger.name_to_value["train/approx_kl"]
    assert_allclose(ESTIMATORS["k3"][0](old_l - l).mean(), logged, rtol=1e-4)


# --- TRL -------------------------------------------------------------------------------------------------


@pytest.fixture
def trl(tmp_path):
    """Makes a trainer of TRL of one kind with its own settings, that is told what to generate."""
    torch, modules = (
        library("torch"),
        {kind: library(f"trl.trainer.{kind}_trainer") for kind in ("grpo", "rloo")},
    )
    names = {"grpo": "GRPO", "rloo": "RLOO"}

    def make(kind, group_size, length, **settings):
        module = modules[kind]
        config = getattr(module, f"{names[kind]}Config")(
            output_dir=str(tmp_path),
            use_cpu=True,
            bf16=False,
            report_to="none",
            num_generations=group_size,
            per_device_train_batch_size=group_size,
            steps_per_generation=1,
            num_iterations=2,  # so that the policy that answered is another than the one that learns
            max_completion_length=length,
            **settings,
        )
        return told(torch, getattr(module, f"{names[kind]}Trainer"), config)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield make


def told(torch, kind, config):
    """A trainer without model, tokenizer and data: it is told log-probabilities, lengths and rewards."""

    class Told(kind):
        def __init__(self):
            self.args, self.accelerator = config, one_process(torch)
            self.epsilon_low = config.epsilon
            self.epsilon_high = config.epsilon if config.epsilon_high is None else config.epsilon_high
            self.current_gradient_accumulation_steps = 1
            self.reward_weights, self.reward_funcs, self.reward_func_names = torch.ones(1), [None], ["told"]
            self.aux_loss_enabled = self._entropy_bonus_enabled = False
            self.tools = self.environment_factories = self.environments = None
            self._pending_extra_logs, self._pending_metrics = {}, {}
            self._metrics = defaultdict(lambda: defaultdict(list))
            self._logs = {"prompt": [], "completion": [], "advantages": []}
            self._logs |= {"rewards": defaultdict(list), "extra": defaultdict(list)}

        _tokenizer = SimpleNamespace(pad_token_id=0)

        def __getattr__(self, name):
            return getattr(config, name)

        def _generate(self, prompts):
            texts = [[1] * n for n in self.lengths]
            said = [[1]] * len(texts), texts
            if "RLOO" in kind.__name__:
                return *said, texts
            return *said, None, texts, None, {}, None, None

        def _calculate_rewards(self, *inputs):
            return self.rewards[:, None]

        def _get_per_token_logps_and_entropies(self, model, ids, mask, width, *rest, **kwargs):
            l = model.log_probs[:, :width]
            return l, torch.zeros_like(l), None

        def loss(self, log_probs, old_log_probs, ref_log_probs, rewards, mask):
            """Return the loss, of some groups one after the other, as a function for `from_torch`."""
            self.model, self.ref_model = says(old_log_probs), says(ref_log_probs)
            self.rewards, self.lengths = rewards, mask.sum(-1).int().tolist()
            self.batch = self._generate_and_score_completions([{"prompt": ""}] * len(rewards))
            return self._compute_loss(says(log_probs), self.batch)

    return Told()


def says(log_probs):
    return SimpleNamespace(log_probs=log_probs, training=True, is_gradient_checkpointing=False)


def one_process(torch):
    def same(x, **kwargs):
        return x

    return SimpleNamespace(
        device=torch.device("cpu"), num_processes=1, process_index=0, gather=same, reduce=same
    )


def groups(n, G, L, seed=0, near=1.0):
    """Log-probabilities, old and of a reference, rewards and masks of n groups; the first has one reward."""
    rng = np.random.default_rng([seed, n, G, L])
    mask = (np.arange(L) < rng.integers(1, L + 1, size=(n, G, 1))) * 1.0
    l = -rng.exponential(size=(n, G, L))
    old, ref = (np.minimum(l + near * rng.normal(size=l.shape), 0.0) for _ in range(2))
    rewards = rng.normal(size=(n, G))
    rewards[0] = 1.0
    return *(each * mask for each in (l, old, ref)), rewards, mask


SIZES = ((3, 2, 1), (3, 4, 3), (2, 5, 8), (2, 16, 4))


def scaled(rewards):
    """As TRL has it: it adds 1e-4 to the standard deviation, whose G / (G - 1) it rounds to float32."""
    spread = rewards.std(-1, ddof=1, keepdims=True)
    return standardised(rewards, ddof=1) * spread / (spread + 1e-4)


@pytest.mark.parametrize("size", SIZES)
def test_advantages_are_those_of_trl(trl, size):
    seen = groups(*size)
    rewards = seen[3]
    tensors = [library("torch").tensor(each.reshape(-1, *each.shape[2:])) for each in seen]

    def theirs(kind, **settings):
        trainer = trl(kind, *size[1:], **settings)
        trainer.loss(*tensors)
        return trainer.batch["advantages"].numpy().reshape(rewards.shape)

    assert_allclose(theirs("rloo", beta=0.0), leave_one_out(rewards), rtol=1e-12, atol=1e-12)
    assert_allclose(theirs("grpo", scale_rewards="none"), group_mean(rewards), rtol=1e-12, atol=1e-12)
    assert_allclose(theirs("grpo"), scaled(rewards), rtol=1e-7, atol=1e-12)
    # With the KL in the reward, as RLOO has it: k1 of whole answers under the policy that answered.
    distance = -KLUpdate("k1", where="reward").weights(*seen)[..., 0] * size[1]
    assert_allclose(theirs("rloo", beta=0.3), leave_one_out(rewards - 0.3 * distance), rtol=1e-12, atol=1e-12)


SUMS = {"loss_type": "luspo", "scale_rewards": "none"}

#: Settings of TRL's GRPO, and the updates that they are.
GRPO = {
    "grpo": ({"loss_type": "grpo"}, [(1, GroupUpdate(scaled, "answer", clip=(0.2, 0.2)))]),
    "as it comes": ({}, [(1, GroupUpdate(scaled, "token", clip=(0.2, 0.2)))]),
    "bnpo": ({"loss_type": "bnpo"}, [(1, GroupUpdate(scaled, "token", clip=(0.2, 0.2)))]),
    "clip higher": ({"epsilon_high": 0.28}, [(1, GroupUpdate(scaled, "token", clip=(0.2, 0.28)))]),
    "dr_grpo": (
        {"loss_type": "dr_grpo", "scale_rewards": "none"},
        [(1, GroupUpdate(group_mean, "constant", clip=(0.2, 0.2)))],
    ),
    "gspo": (
        {"loss_type": "grpo", "importance_sampling_level": "sequence", "epsilon": 0.1},
        [(1, GroupUpdate(scaled, ratio="answer", clip=(0.1, 0.1)))],
    ),
    "sums": (SUMS, [(1, GroupUpdate(group_mean, clip=(0.2, 0.2)))]),
    "k3": (
        SUMS | {"beta": 0.3, "use_bias_correction_kl": False},
        [(1, GroupUpdate(group_mean, clip=(0.2, 0.2))), (0.3, KLUpdate("k3", "token"))],
    ),
    "k3 with the ratio": (
        SUMS | {"beta": 0.3},
        [(1, GroupUpdate(group_mean, clip=(0.2, 0.2))), (0.3, KLUpdate("k3", "token", ratio="token"))],
    ),
}


@pytest.mark.parametrize("name", GRPO)
def test_the_derivative_of_the_loss_of_trl_is_the_update(trl, name):
    settings, parts = GRPO[name]
    for n, G, L in SIZES:
        seen = groups(n, G, L, near=0.3)
        theirs = from_torch(trl("grpo", G, L, **settings).loss).weights(*seen)
        ours = sum(factor * update.weights(*seen) for factor, update in parts)
        assert_allclose(ours, theirs, rtol=1e-7, atol=1e-12)
        assert np.abs(theirs).max() > 1e-3


def test_tokens_are_counted_over_the_whole_batch_by_trl(trl):
    """Of all its questions, so that the lengths of other questions' answers matter."""
    torch, (n, G, L) = library("torch"), (3, 4, 5)
    seen = groups(n, G, L, near=0.3)
    l, *rest = (torch.tensor(each.reshape(-1, *each.shape[2:])) for each in seen)
    l.requires_grad_()
    trl("grpo", G, L).loss(l, *rest).backward()
    mask = seen[-1]
    share = mask.sum((-2, -1), keepdims=True) / mask.sum()
    ours = GroupUpdate(scaled, "token", clip=(0.2, 0.2)).weights(*seen) * share
    assert_allclose(ours, -l.grad.reshape(mask.shape), rtol=1e-7, atol=1e-12)


def table(tree, seed=1):
    rng = np.random.default_rng(seed)
    return SoftmaxPolicy.tabular(rng.normal(size=(tree.n_states, tree.n_tokens)))


def test_the_loss_of_rloo_of_trl_climbs_the_mean_reward_from_any_policy_that_answered(trl):
    """Unclipped, its ratio is that of whole answers: the exact mean is the gradient."""
    tree = standard_tree()
    policy, old = table(tree, 1), table(tree, 2)
    rloo = from_torch(trl("rloo", 3, tree.length, beta=0.0, epsilon=1e9).loss)
    wanted = answer_gradient(tree, policy)
    assert_allclose(mean_update(tree, policy, rloo, group_size=3, old=old), wanted, rtol=1e-9, atol=1e-12)
    found = audit(rloo, group_size=3)
    assert (found.objective, found.is_gradient) == ("mean reward", True)
    assert_allclose(found.factors, 1.0, rtol=1e-9)


@pytest.mark.parametrize("name", ["grpo", "as it comes", "dr_grpo"])
def test_the_loss_of_trl_is_audited_as_the_update(trl, name):
    settings, [(_, update)] = GRPO[name]
    theirs = audit(from_torch(trl("grpo", 2, 3, **settings).loss), group_size=2)
    ours = audit(update, group_size=2)
    assert theirs.objective == ours.objective
    assert theirs.is_gradient == ours.is_gradient
    assert_allclose(theirs.direction, ours.direction, rtol=1e-7, atol=1e-12)
    assert_allclose(theirs.cosines, ours.cosines, rtol=1e-7)


@pytest.mark.parametrize("name", ["rloo", "grpo", "as it comes", "dr_grpo", "gspo"])
def test_texts_drawn_by_torch_give_the_mean_of_the_group_estimators(trl, name):
    """Token by token, with the loss differentiated down to the logits: two samples of one distribution."""
    torch, tree, G, n = library("torch"), standard_tree(), 4, 400
    policy, old = table(tree, 1), table(tree, 1).with_parameters(table(tree, 1).parameters * 0.8)
    settings, update = {"beta": 0.0, "epsilon": 1e9}, GroupUpdate(leave_one_out)
    if name != "rloo":
        settings, [(_, update)] = GRPO[name]
    else:
        old = policy
    trainer = trl("rloo" if name == "rloo" else "grpo", G, tree.length, **settings)
    torch.manual_seed(1)
    theta = torch.tensor(policy.parameters.reshape(tree.n_states, -1), requires_grad=True)
    old_l = torch.tensor(old.log_probs())
    steps = np.array([one_step(torch, tree, trainer, theta, old_l, G) for _ in range(n)])
    mean, error = steps.mean(0), steps.std(0, ddof=1) / np.sqrt(n)

    rng = np.random.default_rng(1)
    ours = sampled_update(tree, policy, update, group_size=G, n_groups=20_000, old=old, rng=rng)
    spread = np.hypot(error, ours.standard_error)
    gap = SimpleNamespace(mean=mean - ours.mean, standard_error=spread, degrees_of_freedom=255)
    checks.consistent(estimate=gap, exact=np.zeros_like(mean))
    # A mean of twice the size would have been seen.
    assert (np.abs(ours.mean) > 8 * spread).any()


def one_step(torch, tree, trainer, theta, old_l, G):
    """Draw a question and G answers as a program does, and return minus the derivative by the logits."""
    question = int(torch.multinomial(torch.tensor(tree.weights), 1))
    at, answers = {prefix: i for i, prefix in enumerate(tree.prefixes)}, []
    states, tokens, mask = (torch.zeros((G, tree.length), dtype=torch.long) for _ in range(3))
    for i in range(G):
        said = ()
        while said in at:
            t, state = len(said), question * tree.n_prefixes + at[said]
            token = int(torch.multinomial(old_l[state].exp(), 1))
            states[i, t], tokens[i, t], mask[i, t] = state, token, 1
            said = (*said, tree.tokens[token])
            if said in tree.answers:
                break
        answers.append(tree.answers.index(said))
    rewards = torch.tensor(tree.rewards[question][answers])
    l, old = (each.log_softmax(-1)[states, tokens] * mask for each in (theta, old_l))
    return -torch.autograd.grad(trainer.loss(l, old, old, rewards, mask), theta)[0].numpy().ravel()
