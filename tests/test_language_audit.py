"""The audit of a loss: what it says of losses whose mean is known, and what it refuses."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose

import pgtlab
from pgtlab import SoftmaxPolicy
from pgtlab.language import (
    METHODS,
    AutodiffLoss,
    DiscountedUpdate,
    GroupUpdate,
    KLUpdate,
    NumpyLoss,
    PreferenceUpdate,
    TokenTree,
    antisymmetry,
    audit,
    best_of,
    from_jax,
    from_torch,
    group_mean,
    leave_one_out,
    mean_update,
    objectives,
    raw,
    standard_reference,
    standard_tree,
    standardised,
    token_log_probs,
)
from pgtlab.language.objective import Law


def table(tree, seed=1):
    rng = np.random.default_rng(seed)
    return SoftmaxPolicy.tabular(rng.normal(size=(tree.n_states, tree.n_tokens)))


def slope(f, policy, h=1e-5):
    theta = policy.parameters
    ends = [[f(policy.with_parameters(theta + sign * h * e)) for sign in (1, -1)] for e in np.eye(theta.size)]
    return np.array([(up - down) / (2 * h) for up, down in ends])


# --- objectives ------------------------------------------------------------------------------------------


def all_objectives(tree, group_size=4):
    rewards, distances = objectives(tree, group_size)
    return {each.name: each for each in (*rewards, *distances)}


@pytest.mark.parametrize("name", all_objectives(standard_tree()))
def test_the_gradient_of_an_objective_is_that_of_its_number(name):
    tree = standard_tree()
    policy, reference = table(tree, 1), table(tree, 2)
    each, here = all_objectives(tree)[name], Law(tree, policy, reference)
    found = each.gradient(here)
    by_differences = slope(lambda p: each.value(Law(tree, p, reference), here), policy)
    assert_allclose(found, by_differences, rtol=1e-6, atol=1e-8)
    assert np.linalg.norm(found) > 1e-3


def test_numbers_of_objectives_by_hand():
    """A coin at every prefix: P(.) = 1/2, P(a.) = 1/4, P(aa.) = P(aaa) = 1/8."""
    tree = standard_tree()
    coin = SoftmaxPolicy.tabular(np.zeros((6, 2)))
    law, found = Law(tree, coin), all_objectives(tree)
    by_hand = {
        "mean reward": (3 / 8 + 5 / 8) / 2,
        "reward per token": ((1 / 8 + 1 / 24) + (1 / 2 + 1 / 24)) / 2,
        "reward times length": ((2 / 4 + 3 / 8) + (1 / 2 + 3 / 8)) / 2,
        "length": 1 / 2 + 2 / 4 + 3 / 4,
        "pass@2 (best of 2)": 1 - ((5 / 8) ** 2 + (3 / 8) ** 2) / 2,
        "log of the pass rate": (np.log(3 / 8) + np.log(5 / 8)) / 2,
        "log-odds of the pass rate": 0.0,
        "KL(policy | reference)": 0.0,
        "half of chi2(policy | reference)": 0.0,
    }
    for name, value in by_hand.items():
        assert_allclose(found[name].value(law, law), value, atol=1e-12, err_msg=name)
    assert "log of the pass rate" not in all_objectives(TokenTree("a.", 2, [[1.0, 2.0, 0.0]], end="."))


# --- what an audit says ----------------------------------------------------------------------------------

SAYS = {
    "REINFORCE": (GroupUpdate(raw), "mean reward", 1.0, True),
    "RLOO": (GroupUpdate(leave_one_out), "mean reward", 1.0, True),
    "Dr. GRPO": (GroupUpdate(group_mean, "constant"), "mean reward", 3 / 4 / 3, True),
    "GRPO without length": (GroupUpdate(standardised), "pass rate seen through c_4", 1.0, True),
    "GRPO": (
        GroupUpdate(standardised, "answer"),
        "reward per token with the baseline frozen, times c_4",
        1.0,
        False,
    ),
    "GSPO": (
        GroupUpdate(standardised, ratio="answer"),
        "reward per token with the baseline frozen, times c_4",
        1.0,
        False,
    ),
    "per answer": (
        GroupUpdate(leave_one_out, "answer"),
        "reward per token with the baseline frozen",
        1.0,
        False,
    ),
    "DAPO": (GroupUpdate(standardised, "token", filtered=True), None, None, False),
    "pass@3": (GroupUpdate(best_of(3)), "pass@3 (best of 3)", 1.0, True),
    "discounted": (DiscountedUpdate(0.8), None, None, True),
    "without its power": (DiscountedUpdate(0.8, with_power=False), None, None, False),
    "k1 loss": (KLUpdate("k1"), None, None, True),
    "k2 loss": (KLUpdate("k2"), "KL(policy | reference)", -1.0, True),
    "k3 loss": (KLUpdate("k3"), "KL(reference | policy)", -1.0, True),
    "k2 by token": (KLUpdate("k2", "token"), "KL of the next token, visits frozen", -1.0, False),
    "k3 by token": (
        KLUpdate("k3", "token"),
        "KL of the next token the other way, visits frozen",
        -1.0,
        False,
    ),
    "upside down": (KLUpdate("k3 upside down"), "half of chi2(policy | reference)", -1.0, True),
}


@pytest.mark.parametrize("name", SAYS)
def test_the_audit_finds_what_is_known(name):
    update, objective, factor, is_gradient = SAYS[name]
    found = audit(update)
    assert found.objective == objective
    assert found.is_gradient == is_gradient
    if factor is not None:
        assert_allclose(found.factors, factor, rtol=1e-8)
    assert ("It is the gradient of nothing" in str(found)) == (not is_gradient)
    assert max(map(len, str(found).splitlines())) <= 76


def test_k3_in_the_reward_is_two_divergences():
    found = audit(KLUpdate("k3", where="reward"))
    assert found.objective == "KL(policy | reference) and KL(reference | policy)"
    assert_allclose(found.factors, [[-1, 1]] * 3, rtol=1e-8)
    assert found.goal == "minus KL(policy | reference)"


def test_nothing_is_climbed_by_k1_as_a_loss():
    assert str(audit(KLUpdate("k1"))) == (
        "The mean step is 0 at all 3 policies: the loss adds noise, and climbs\nnothing."
    )


def test_a_sum_of_reward_and_distance_is_taken_apart():
    def loss(log_probs, old_log_probs, ref_log_probs, rewards, mask):
        gained = rewards - rewards.mean()
        far = (log_probs - ref_log_probs).sum(-1)
        return (0.1 * far**2 / 2 - gained * log_probs.sum(-1)).mean()

    found = audit(loss, group_size=2)
    assert found.objective == "mean reward and KL(policy | reference)"
    assert_allclose(found.factors, [[0.5, -0.1]] * 3, rtol=1e-7)
    assert "0.5 times the gradient of: mean reward, and -0.1 times" in str(found).replace("\n", " ")


def test_with_one_question_the_factor_changes_with_the_policy():
    """Then every function of the pass rate has the same direction, and none is told from another."""
    tree = TokenTree("a.", 2, [lambda answer: answer[0] == "a"], end=".")
    found = audit(GroupUpdate(standardised), tree=tree, group_size=4)
    assert found.objective == "mean reward"
    assert np.ptp(found.factors) > 0.01
    assert "with the policy" in str(found)


def test_the_way_on_which_it_goes_wrong_is_one():
    """Whatever is not parallel to the gradient goes down along some knob on which the reward goes up."""
    found = audit(GroupUpdate(standardised, "answer"))
    assert found.slopes[0] > 0 > found.slopes[1]
    assert_allclose(np.linalg.norm(found.family), 1.0, rtol=1e-12)
    parallel = audit(GroupUpdate(leave_one_out))
    assert parallel.slopes == (0.0, 0.0)
    assert not parallel.family.any()
    assert "There a small step lowers the mean reward." in str(audit(BackwardsAtTheEnd())).replace("\n", " ")


class BackwardsAtTheEnd(GroupUpdate):
    """Pushes the last token of an answer the wrong way."""

    def weights(self, log_probs, old_log_probs, ref_log_probs, rewards, mask):
        right = super().weights(log_probs, old_log_probs, ref_log_probs, rewards, mask)
        last = np.arange(mask.shape[-1]) == mask.sum(-1, keepdims=True) - 1
        return np.where(last, -3 * right, right)


def test_preferences_are_audited_in_pairs():
    found = audit(PreferenceUpdate(0.5), group_size=2)
    assert found.objective is None
    assert not found.is_gradient


def test_antisymmetry_is_told_by_hand():
    def at(theta):
        return SimpleNamespace(parameters=np.asarray(theta, float), with_parameters=at)

    turning = np.array([[0.0, 1.0], [-1.0, 0.0]])
    assert antisymmetry(lambda p: turning @ p.parameters, at([1.0, 2.0])) > 0.5
    assert antisymmetry(lambda p: p.parameters**3, at([1.0, 2.0])) < 1e-6
    assert antisymmetry(lambda p: np.ones(2), at([1.0, 2.0])) == 0.0
    assert antisymmetry(lambda p: p.parameters**2, at([1.0])) == 0.0


def test_every_method_of_the_table_is_audited_and_its_own_objective_is_found():
    found = {method.name: method.audit() for method in METHODS}
    assert len(found) == len(METHODS) == 25
    assert found["actor-critic, with γ to the t"].objective == "discounted reward"
    assert found["actor-critic, without γ to the t"].objective is None
    climbs_pass_rate = {name for name, each in found.items() if each.objective == "mean reward"}
    assert climbs_pass_rate == {
        "REINFORCE",
        "REINFORCE with a baseline",
        "PPO clip, leave-one-out, sums",
        "RLOO",
        "Dr. GRPO",
    }
    here = Law(standard_tree(), table(standard_tree()))
    assert found["DPO on collected pairs"].objective == "log-likelihood of the judgements"
    assert_allclose(found["DPO on collected pairs"].factors, 1, rtol=1e-9)
    assert found["DPO on pairs of its own"].objective is None
    frozen = {"k2 as a loss, by token", "k3 with the ratio, by token"}
    token_wise = {
        name for name, each in found.items() if each.objective == "KL of the next token, visits frozen"
    }
    assert token_wise == frozen
    assert found["k1 in the reward, to go by token"].objective == "KL(policy | reference)"
    reference = standard_reference(standard_tree())
    here = Law(here.tree, here.policy, reference)
    for own in (each for method in METHODS for each in method.also):
        by_differences = slope(lambda p, own=own: own.value(Law(here.tree, p, reference), here), here.policy)
        assert_allclose(own.gradient(here), by_differences, rtol=1e-6, atol=1e-8)


def test_an_audit_of_old_answers_sees_ratios_and_clips():
    # Answers of one token: the ratio of the token is that of the text, and the mean is the gradient (L.10).
    one = TokenTree("xyz", 1, [lambda answer: float(answer == ("x",))])
    old = table(one, 2)
    # The first has become more likely, by more than the clip.
    policy = old.with_parameters(old.parameters + np.array([0.5, 0.0, 0.0]))
    plain, clipped = GroupUpdate(leave_one_out), GroupUpdate(leave_one_out, clip=(0.2, 0.2))
    where = {"tree": one, "policies": [policy], "group_size": 2}
    assert audit(plain, **where, old=old).objective == "mean reward"
    assert audit(clipped, **where).objective == "mean reward"
    assert audit(clipped, **where, old=old).objective is None
    # Two tokens: by token the ratio is not that of the text.
    two = {"tree": standard_tree(), "policies": [table(standard_tree(), 1)], "group_size": 2}
    assert audit(plain, **two, old=table(standard_tree(), 2)).objective is None


def test_what_is_nearly_an_objective_is_named_with_its_distance():
    def with_a_little(added):
        def loss(log_probs, old_log_probs, ref_log_probs, rewards, mask):
            advantage = (rewards - rewards.mean()) / (rewards.std() + added)
            pull = np.exp(log_probs - old_log_probs) * advantage[:, None] * mask
            return -pull.sum(-1).mean()

        return loss

    gaps = []
    for added in (1e-4, 1e-2):
        found = audit(with_a_little(added))
        assert (found.objective, found.nearest) == (None, "pass rate seen through c_4")
        assert f"The nearest is: {found.nearest}, within {100 * found.gap:.2g} %" in found.words
        gaps.append(found.gap)
    # The spreads of a group of four are sqrt(3)/4 and 1/2: each is changed by a share of its own, in
    # proportion to what is added.
    assert_allclose(gaps[1] / gaps[0], 100, rtol=0.1)
    exact = audit(with_a_little(0.0 + 1e-12))
    assert (exact.nearest, exact.gap) == (None, 0.0)
    away = audit(GroupUpdate(standardised, "token"))
    assert (away.nearest, away.gap) == (None, np.inf)


# --- losses as they are written --------------------------------------------------------------------------


def grpo(log_probs, old_log_probs, ref_log_probs, rewards, mask):
    advantage = (rewards - rewards.mean()) / (rewards.std() + 1e-12)
    ratio = np.exp(log_probs - old_log_probs)
    clipped = np.clip(ratio, 0.8, 1.2)
    pull = np.minimum(ratio * advantage[:, None], clipped * advantage[:, None])
    return -((pull * mask).sum(-1) / mask.sum(-1)).mean()


def test_a_loss_of_numpy_has_the_weights_of_its_formula():
    tree = standard_tree()
    policy, old = table(tree, 1), table(tree, 2)
    clipped = GroupUpdate(standardised, "answer", clip=(0.2, 0.2))
    for each in (policy, old):
        found, wanted = (
            mean_update(tree, policy, update, group_size=2, old=each) for update in (NumpyLoss(grpo), clipped)
        )
        assert_allclose(found, wanted, rtol=1e-8, atol=1e-9)
    assert audit(grpo, group_size=2).objective == "reward per token with the baseline frozen"
    assert pgtlab.audit is audit


def refused(loss, message, error=ValueError):
    with pytest.raises(error, match=message):
        audit(loss, group_size=2)


def test_losses_that_cannot_be_audited_are_refused_in_words():
    rng = np.random.default_rng(1)
    message = r"^the loss returned .* and then .* for the same group: it depends on chance, or remembers"
    refused(lambda l, *others: rng.normal() * l.sum(), message)
    message = r"^the loss returned an array of shape \(2,\); expected one number for a group, such as"
    refused(lambda l, *others: l.sum(-1), message)
    message = r"^the loss is nan for rewards \[.*\] and lengths \[.*\]; expected a finite number: is"
    refused(lambda l, old, ref, r, mask: (l.sum(-1) * (r - r.mean()) / r.std()).sum(), message)
    message = r"^the loss has a kink at the log-probability of token 0 of answer 0, for the rewards \["
    refused(lambda l, old, *others: np.abs(l - old).sum(), message)
    refused(3, "^loss must be a function or an Update, got int$", TypeError)

    def writes(l, old, ref, r, mask):
        mask -= 1
        return l.sum()

    refused(writes, "read-only")


def jax_grpo(jnp):
    def loss(log_probs, old_log_probs, ref_log_probs, rewards, mask):
        advantage = (rewards - rewards.mean()) / (rewards.std() + 1e-12)
        ratio = jnp.exp(log_probs - old_log_probs)
        pull = jnp.minimum(ratio * advantage[:, None], jnp.clip(ratio, 0.8, 1.2) * advantage[:, None])
        return -((pull * mask).sum(-1) / mask.sum(-1)).mean()

    return loss


def test_a_loss_of_jax_is_differentiated_by_jax():
    jnp = pytest.importorskip("jax.numpy")
    tree, loss = standard_tree(), from_jax(jax_grpo(jnp))
    policy, old = table(tree, 1), table(tree, 2)
    clipped = GroupUpdate(standardised, "answer", clip=(0.2, 0.2))
    found, wanted = (mean_update(tree, policy, each, group_size=2, old=old) for each in (loss, clipped))
    assert_allclose(found, wanted, rtol=1e-9, atol=1e-12)


def test_a_loss_of_torch_is_handed_tensors_that_it_differentiates(monkeypatch):
    """With a stand-in that knows the four calls; with PyTorch itself in the test below."""

    class Tensor(np.ndarray):
        def numpy(self):
            return np.asarray(self)

    def tensor(value, dtype, requires_grad=False):
        return np.array(value, dtype).view(Tensor)

    def grad(value, by):
        return (np.full(by.shape, float(value)).view(Tensor),)

    torch = SimpleNamespace(tensor=tensor, float64=float, autograd=SimpleNamespace(grad=grad))
    monkeypatch.setitem(sys.modules, "torch", torch)
    update = from_torch(lambda l, old, ref, r, mask: r.sum())
    assert isinstance(update, AutodiffLoss)
    mask = np.array([[[1.0, 0.0]]])
    assert_allclose(update.weights(*np.zeros((3, 1, 1, 2)), np.array([[2.0]]), mask), [[[-2.0, 0.0]]])


def test_a_loss_of_pytorch_is_differentiated_by_pytorch():
    """GRPO as it is written with PyTorch, with answers of an old policy, so that the clip has a say."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: a stand-in must do")

    def loss(log_probs, old_log_probs, ref_log_probs, rewards, mask):
        advantage = ((rewards - rewards.mean()) / (rewards.std(correction=0) + 1e-12))[:, None].detach()
        ratio = torch.exp(log_probs - old_log_probs)
        pull = torch.minimum(ratio * advantage, ratio.clamp(0.8, 1.2) * advantage)
        return -((pull * mask).sum(-1) / mask.sum(-1)).mean()

    tree, clipped = standard_tree(), GroupUpdate(standardised, "answer", clip=(0.2, 0.2))
    policy, old = table(tree, 1), table(tree, 2)
    found, wanted = (
        mean_update(tree, policy, each, group_size=2, old=old) for each in (from_torch(loss), clipped)
    )
    assert_allclose(found, wanted, rtol=1e-9, atol=1e-12)
    unclipped = mean_update(tree, policy, GroupUpdate(standardised, "answer"), group_size=2, old=old)
    assert np.abs(found - unclipped).max() > 1e-3


# --- what people run -------------------------------------------------------------------------------------


def test_sampled_groups_equal_the_loss_that_is_differentiated_on_the_same_texts():
    """GRPO, RLOO, DAPO and GSPO as programs write them, down to the logits, on 64 groups of texts."""
    jax = pytest.importorskip("jax")
    jnp = jax.numpy
    tree, rng = standard_tree(), np.random.default_rng(7)
    policy, old = table(tree, 1), table(tree, 2)
    groups = rng.integers(tree.n_answers, size=(64, 4))
    mask, pairs, rewards = (x[groups] for x in (tree.mask, tree.pairs, tree.rewards[0]))
    old_l = token_log_probs(tree, old)[0][groups]

    def log_probs(theta):
        by_state = jax.nn.log_softmax(theta.reshape(-1, tree.n_tokens), axis=-1)
        return by_state.reshape(-1)[pairs] * mask

    def centred():
        return rewards - rewards.mean(1, keepdims=True)

    def scaled():
        return centred() / (rewards.std(1, keepdims=True) + 1e-12)

    def others():
        return rewards - (rewards.sum(1, keepdims=True) - rewards) / 3

    def surrogate(ratio, A, low, high):
        return jnp.minimum(ratio * A, jnp.clip(ratio, 1 - low, 1 + high) * A)

    def of_grpo(l):
        kept = surrogate(jnp.exp(l - old_l), scaled()[..., None], 0.2, 0.2) * mask
        return -(kept.sum(-1) / mask.sum(-1)).mean(1).sum()

    def of_dapo(l):
        kept = surrogate(jnp.exp(l - old_l), scaled()[..., None], 0.2, 0.28) * mask
        return -(kept.sum((1, 2)) / mask.sum((1, 2))).sum()

    def of_gspo(l):
        ratio = jnp.exp(((l - old_l) * mask).sum(-1) / mask.sum(-1))
        return -surrogate(ratio, scaled(), 0.1, 0.1).mean(1).sum()

    def of_rloo(l):
        return -(others() * l.sum(-1)).mean(1).sum()

    updates = {
        of_grpo: GroupUpdate(standardised, "answer", clip=(0.2, 0.2)),
        of_dapo: GroupUpdate(standardised, "token", clip=(0.2, 0.28)),
        of_gspo: GroupUpdate(standardised, ratio="answer", clip=(0.1, 0.1)),
        of_rloo: GroupUpdate(leave_one_out),
    }
    l = token_log_probs(tree, policy)[0][groups]
    for loss, update in updates.items():
        with jax.enable_x64(True):
            theta = jnp.asarray(policy.parameters)
            slopes = jax.jit(jax.grad(lambda t, loss=loss: loss(log_probs(t))))
            by_jax = -np.asarray(slopes(theta))
        in_rloo = isinstance(update, GroupUpdate) and loss is of_rloo
        W = update.weights(l, l if in_rloo else old_l, l, rewards, mask)
        by_pair = np.bincount(pairs.ravel(), (W * mask).ravel(), tree.n_prefixes * tree.n_tokens)
        weights = np.concatenate([by_pair, 0 * by_pair]).reshape(tree.n_states, tree.n_tokens)
        assert_allclose(policy.score_sum(weights), by_jax, rtol=1e-9, atol=1e-10)
        assert np.linalg.norm(by_jax) > 0.1


def test_two_gradients_in_other_shares_from_policy_to_policy_are_no_objective():
    from pgtlab.language.auditing import _explained

    def objective(name, gradient):
        return SimpleNamespace(name=name, frozen=False, gradient=lambda law: np.array(gradient))

    across, up = objective("across", [1.0, 0.0]), objective("up", [0.0, 1.0])
    steps = [np.array([1.0, 1.0]), np.array([1.0, 2.0])]
    assert _explained(steps, [1, 2], [across], [up])[0] is None
    assert _explained(steps[:1] * 2, [1, 2], [across], [up])[0] == "across and up"
