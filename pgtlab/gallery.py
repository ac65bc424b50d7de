"""Owns the named problems: small, with answers that can be derived by hand."""

from __future__ import annotations

import numpy as np

from pgtlab import _validate
from pgtlab.mdp import FiniteMDP, LinearQuadraticMDP
from pgtlab.policies import LinearGaussianPolicy, SoftmaxPolicy

#: The room of `gridworld`: walls are #, the goal is G, the start is S, free cells are dots.
ROOM = ("S....", ".##..", ".#...", "...#.", ".#..G")

#: Up to this many states `gridworld` makes dense transitions.
_MOST_DENSE_STATES = 1000

#: The moves of `gridworld` in the order of its actions, as (rows down, columns right).
MOVES = ((-1, 0), (0, 1), (1, 0), (0, -1))


def short_corridor(probability_right=0.5):
    r"""Short corridor with a reversed state, where the best policy of the class is stochastic.

    Three states in a row, start on the left, goal behind the third; each step costs 1 and
    :math:`\gamma = 1`. Action 0 is "right", action 1 "left". In the middle state they are reversed,
    and the policy cannot tell the states apart: one parameter :math:`\theta` gives
    :math:`p = P(\text{right}) = \operatorname{sigmoid}(\theta)` in all three.

    Parameters
    ----------
    probability_right : float
        p of the policy that comes with the problem, between 0 and 1.

    Returns
    -------
    mdp : FiniteMDP
    policy : SoftmaxPolicy
        One parameter, the log odds of p.

    Notes
    -----
    From the equations V_0 = -1 + p V_1 + (1-p) V_0, V_1 = -1 + p V_0 + (1-p) V_2,
    V_2 = -1 + (1-p) V_1 follows J = V_0 = -2 (2 - p) / (p (1 - p)), highest at
    :math:`p^* = 2 - \sqrt 2` with :math:`J^* = -(6 + 4 \sqrt 2) \approx -11.66`.

    References
    ----------
    R. S. Sutton and A. G. Barto, *Reinforcement Learning*, 2nd edition, example 13.1.

    Examples
    --------
    >>> from pgtlab import expected_return, policy_gradient, state_visitation
    >>> mdp, policy = short_corridor()
    >>> state_visitation(mdp, policy).round(6)
    array([6., 4., 2.])
    >>> round(expected_return(mdp, policy), 6), policy_gradient(mdp, policy).round(6)
    (-12.0, array([2.]))
    """
    transition = np.zeros((3, 2, 3))
    right, left = 0, 1
    transition[0, right, 1] = transition[0, left, 0] = 1.0
    transition[1, right, 0] = transition[1, left, 2] = 1.0
    # From state 2 "right" reaches the goal: no next state, the episode ends.
    transition[2, left, 1] = 1.0
    mdp = FiniteMDP(transition, np.full((3, 2), -1.0), [1.0, 0.0, 0.0], 1.0)
    return mdp, SoftmaxPolicy(_first_action_feature(3), [_log_odds("probability_right", probability_right)])


def now_or_later(probability_later=0.5):
    r"""Ten later or one now: what pays at once is the worse choice.

    In state 0 action 0, "later", pays 0 and leads to state 1; action 1, "now", pays 1 and ends. State 1
    pays 10 and ends, whatever is done. :math:`\gamma = 0.9`. One parameter,
    :math:`P(\text{later}) = \operatorname{sigmoid}(\theta)`, for state 0; it changes nothing in state 1.

    Parameters
    ----------
    probability_later : float
        Of the policy that comes with the problem, between 0 and 1.

    Returns
    -------
    mdp : FiniteMDP
    policy : SoftmaxPolicy
        One parameter, the log odds of "later".

    Notes
    -----
    With p = P(later): J = 9 p + 1 - p = 1 + 8 p, the gradient is 8 p (1 - p), the Fisher information
    p (1 - p), so the natural gradient is 8 everywhere. The immediate reward alone is 1 - p: whoever
    climbs that, as the slides' last update does, learns p = 0.

    References
    ----------
    Made for S23 (23.3).

    Examples
    --------
    >>> from pgtlab import expected_return, policy_gradient
    >>> mdp, policy = now_or_later()
    >>> round(expected_return(mdp, policy), 6), policy_gradient(mdp, policy).round(6)
    (5.0, array([2.]))
    """
    transition = np.zeros((2, 2, 2))
    transition[0, 0, 1] = 1.0
    mdp = FiniteMDP(transition, [[0.0, 1.0], [10.0, 10.0]], [1.0, 0.0], 0.9)
    features = np.zeros((2, 2, 1))
    features[0, 0, 0] = 1.0
    return mdp, SoftmaxPolicy(features, [_log_odds("probability_later", probability_later)])


def one_knob(cost=1.05, probability_first=0.5):
    r"""One parameter for two states in turn: where a dropped discount turns the gradient round.

    State 0 leads to state 1, and from there the episode ends, whatever is done. Action 0 pays 1 in state 0
    and costs `cost` in state 1; action 1 pays nothing. :math:`\gamma = 0.9`. Both states share one parameter,
    :math:`P(\text{action } 0) = \operatorname{sigmoid}(\theta)`.

    Parameters
    ----------
    cost : float
        Of action 0 in state 1.
    probability_first : float
        Of action 0, for the policy that comes with the problem, between 0 and 1.

    Returns
    -------
    mdp : FiniteMDP
    policy : SoftmaxPolicy
        One parameter, the log odds of action 0.

    Notes
    -----
    With p = P(action 0) and c = `cost`: J = p (1 - 0.9 c), the gradient is p (1 - p) (1 - 0.9 c). As visits
    count 1 and 0.9, the Fisher information is 1.9 p (1 - p), and the natural gradient (1 - 0.9 c) / 1.9.
    Whoever drops the discount of the second visit gets p (1 - p) (1 - c), of the other sign for c between
    1 and 1 / 0.9.

    References
    ----------
    Made for S20 (20.1).

    Examples
    --------
    >>> from pgtlab import policy_gradient
    >>> policy_gradient(*one_knob(cost=1.05)).round(6)
    array([0.01375])
    """
    transition = np.zeros((2, 2, 2))
    transition[0, :, 1] = 1.0
    cost = _validate.number("cost", cost)
    mdp = FiniteMDP(transition, [[1.0, 0.0], [-cost, 0.0]], [1.0, 0.0], 0.9)
    return mdp, SoftmaxPolicy(_first_action_feature(2), [_log_odds("probability_first", probability_first)])


def wind_turbine(preference=0.0, per_wear=0.0):
    r"""Wind turbine out at sea: each week run it, or send a ship to service it.

    The state is how worn the turbine is, from 0, as new, to 4. Action 0, "service", costs 15 (thousand
    euros, like all that follows) and leaves it as new. Action 1, "run", pays 10; then the turbine breaks
    with probability 0, 0.01, 0.04, 0.12, 0.3 at wear 0 to 4, which costs 100 and makes it as new, and if it
    does not, it wears one more with probability 0.4, to 4 at most. :math:`\gamma = 0.95`. With wear s,
    :math:`P(\text{service}) = \operatorname{sigmoid}(\theta_0 + \theta_1 (s - 2))`.

    Parameters
    ----------
    preference, per_wear : float
        :math:`\theta_0` and :math:`\theta_1` of the policy that comes with the problem.

    Returns
    -------
    mdp : FiniteMDP
    policy : SoftmaxPolicy
        Two parameters.

    Notes
    -----
    The best is to run at wear 0, 1, 2 and to service from 3 on, worth 127.45 from a start as new: of
    V_0 = 10 + .95 (.6 V_0 + .4 V_1), V_1 = 9 + .95 (.01 V_0 + .99 (.6 V_1 + .4 V_2)),
    V_2 = 6 + .95 (.04 V_0 + .96 (.6 V_2 + .4 V_3)) and V_3 = -15 + .95 V_0. To service each week is worth
    -15 / (1 - .95) = -300.

    References
    ----------
    Made for the chapter on the problem; its kind is known as a replacement problem, as in M. L. Puterman,
    *Markov Decision Processes*.

    Examples
    --------
    >>> from pgtlab import expected_return
    >>> run_it, careful = wind_turbine(-20.0), wind_turbine(0.0, 1.0)
    >>> round(expected_return(*run_it), 1), round(expected_return(*careful), 1)
    (57.7, 75.3)
    """
    wear = np.arange(5)
    breaks = np.array([0.0, 0.01, 0.04, 0.12, 0.3])
    service, run = 0, 1
    transition = np.zeros((5, 2, 5))
    transition[:, service, 0] = 1.0
    transition[wear, run, wear] = 0.6 * (1 - breaks)
    np.add.at(transition, (wear, run, np.minimum(wear + 1, 4)), 0.4 * (1 - breaks))
    transition[:, run, 0] += breaks
    reward = np.stack([np.full(5, -15.0), 10 - 100 * breaks], axis=1)
    features = np.zeros((5, 2, 2))
    features[:, service] = np.stack([np.ones(5), wear - 2.0], axis=1)
    theta = [_validate.number("preference", preference), _validate.number("per_wear", per_wear)]
    return FiniteMDP(transition, reward, np.eye(5)[0], 0.95), SoftmaxPolicy(features, theta)


def two_states(stay_first=0.8, stay_second=0.1, initial=(1.0, 0.0)):
    r"""Two states with a plateau: where the policy hardly goes, the gradient hardly points.

    In each state action 0 stays and action 1 switches. Staying pays 1 in state 0 and 2 in state 1,
    switching pays nothing, :math:`\gamma = 0.9`. One parameter for each state, the log odds of staying.

    Parameters
    ----------
    stay_first, stay_second : float
        Probability of staying in state 0 and in state 1, between 0 and 1.
    initial : array_like, shape (2,)
        Start distribution.

    Returns
    -------
    mdp : FiniteMDP
    policy : SoftmaxPolicy
        Two parameters.

    Notes
    -----
    From state 0 the best is to switch once and stay for ever: 0.9 * 2 / (1 - 0.9) = 18.

    References
    ----------
    A variant of S. Kakade, "A natural policy gradient", 2002, figure 1.

    Examples
    --------
    >>> from pgtlab import expected_return
    >>> round(expected_return(*two_states()), 3)
    7.009
    """
    stay, switch = np.eye(2), np.eye(2)[::-1]
    mdp = FiniteMDP(np.stack([stay, switch], axis=1), [[1.0, 0.0], [2.0, 0.0]], initial, 0.9)
    features = np.zeros((2, 2, 2))
    features[[0, 1], 0, [0, 1]] = 1.0
    odds = [_log_odds("stay_first", stay_first), _log_odds("stay_second", stay_second)]
    return mdp, SoftmaxPolicy(features, odds)


def gridworld(layout=ROOM, *, slip=0.1, discount=0.95, step_reward=0.0, goal_reward=1.0):
    r"""Gridworld with walls, slip and a goal.

    The actions are up, right, down, left. With probability `slip` the floor gives way and the move goes
    to one of the two sides, each half of the time. Against a wall or the edge one stays. A step into a
    goal pays `goal_reward` and ends the episode.

    Parameters
    ----------
    layout : sequence of str
        The rows of the map: ``#`` wall, ``.`` free, ``S`` a start, ``G`` a goal. The start is
        uniform over the cells marked S.
    slip : float
        Probability in [0, 1] of moving to a side.
    discount : float
        :math:`\gamma` in [0, 1].
    step_reward : float
        Paid for every step that does not reach a goal.
    goal_reward : float
        Paid for the step into a goal.

    Returns
    -------
    mdp : FiniteMDP
        States are the cells that are not walls, row by row (see `cells`). A goal has rows of total 0.
        Above 1,000 states the transitions are sparse, which takes SciPy.
    policy : SoftmaxPolicy
        Tabular and uniform.

    Raises
    ------
    ValueError
        If the rows differ in length, a character is unknown, there is no start, or `slip` is outside [0, 1].

    Examples
    --------
    Two cells: "right" reaches the goal, sure-footed, and three of four directions stay.

    >>> mdp, policy = gridworld(["SG"], slip=0.0, discount=1.0)
    >>> mdp.transition[0, :, 0], mdp.reward[0]
    (array([1., 0., 1., 1.]), array([0., 1., 0., 0.]))
    """
    where = np.array(cells(layout))
    slip = _validate.in_unit_interval("slip", slip, "probability")
    S = len(where)
    # The map with a rim of walls, and on it the number of each state.
    chart = np.pad(np.array([list(row) for row in layout]), 1, constant_values="#")
    numbers = np.where(chart == "#", -1, np.cumsum(chart != "#").reshape(chart.shape) - 1)
    kind = chart[where[:, 0] + 1, where[:, 1] + 1]
    states = np.flatnonzero(kind != "G")
    rows, targets, probs = [], [], []
    for a in range(4):
        for turn, probability in ((0, 1 - slip), (1, slip / 2), (-1, slip / 2)):
            cell = where[states] + MOVES[(a + turn) % 4] + 1
            target = numbers[cell[:, 0], cell[:, 1]]
            rows.append(states * 4 + a)
            targets.append(np.where(target < 0, states, target))
            probs.append(np.full(len(states), probability))
    rows, targets, probs = (np.concatenate(parts) for parts in (rows, targets, probs))
    pay = np.where(kind[targets] == "G", goal_reward, step_reward)
    reward = np.bincount(rows, probs * pay, minlength=S * 4).reshape(S, 4)
    onward = kind[targets] != "G"
    transition = _transition(S, rows[onward], targets[onward], probs[onward])
    start = (kind == "S") / (kind == "S").sum()
    mdp = FiniteMDP(transition, reward, start, discount, smallest_ending=0.0)
    return mdp, SoftmaxPolicy.tabular(np.zeros((S, 4)))


def _transition(S, rows, targets, probs):
    """Return transitions (S, 4, S), or sparse (S*4, S) for many states; entries at one place add up."""
    if S > _MOST_DENSE_STATES:
        from scipy.sparse import csr_array

        return csr_array((probs, (rows, targets)), shape=(S * 4, S))
    transition = np.zeros((S * 4, S))
    np.add.at(transition, (rows, targets), probs)
    return transition.reshape(S, 4, S)


def cells(layout=ROOM):
    """Positions of the states of a gridworld on its map.

    Parameters
    ----------
    layout : sequence of str
        As for `gridworld`.

    Returns
    -------
    list of (int, int)
        Row and column of each state.

    Raises
    ------
    ValueError
        If the rows differ in length, a character is unknown, or there is no start.

    Examples
    --------
    >>> cells(["S#", ".G"])
    [(0, 0), (1, 0), (1, 1)]
    """
    if isinstance(layout, str) or not layout or len({len(row) for row in layout}) != 1:
        raise ValueError(f"layout must be rows of one length, such as ['S.', '#G'], got {layout!r}")
    unknown = sorted(set("".join(layout)) - set("#.SG"))
    if unknown:
        raise ValueError(f"layout has {unknown[0]!r}; expected only '#', '.', 'S' and 'G'")
    if not any("S" in row for row in layout):
        raise ValueError("layout has no start; expected at least one 'S'")
    return [(i, j) for i, row in enumerate(layout) for j, cell in enumerate(row) if cell != "#"]


def garnet(n_states, n_actions, branching, *, discount=0.9, end_probability=0.0, rng):
    r"""Random problem: each action leads to a few states chosen at random.

    For each state and action, `branching` next states are drawn without repetition, and the unit
    interval is cut at random for their probabilities. Rewards are standard normal, the start is uniform,
    and so is the tabular policy's every action.

    Parameters
    ----------
    n_states, n_actions, branching : int
        At least 1; `branching` at most `n_states`.
    discount : float
        :math:`\gamma` in [0, 1].
    end_probability : float
        Probability in [0, 1] that the episode ends with a step.
    rng : numpy.random.Generator

    Returns
    -------
    mdp : FiniteMDP
    policy : SoftmaxPolicy
        Tabular and uniform.

    Raises
    ------
    ValueError
        If a number is out of its range.
    TypeError
        If `rng` is not a Generator or a count not an integer.

    References
    ----------
    T. W. Archibald, K. I. M. McKinnon and L. C. Thomas, "On the generation of Markov decision processes",
    *Journal of the Operational Research Society* 46, 1995.

    Examples
    --------
    >>> mdp, policy = garnet(5, 2, 3, rng=np.random.default_rng(0))
    >>> (mdp.transition > 0).sum(-1)[0], mdp.transition.sum(-1).round(6)[0]
    (array([3, 3]), array([1., 1.]))
    """
    _validate.generator(rng)
    S, A = _validate.count("n_states", n_states, 1), _validate.count("n_actions", n_actions, 1)
    branching = _validate.count("branching", branching, 1)
    if branching > S:
        raise ValueError(f"branching is {branching}; expected at most n_states = {S}")
    end_probability = _validate.in_unit_interval("end_probability", end_probability, "probability")
    _validate.room(f"transitions between {S} states under {A} actions", 8 * S * A * S)
    # The first places of a random order are a draw without repetition.
    targets = rng.permuted(np.tile(np.arange(S), (S, A, 1)), axis=-1)[..., :branching]
    cuts = np.sort(rng.random((S, A, branching - 1)), axis=-1)
    shares = np.diff(cuts, axis=-1, prepend=0.0, append=1.0)
    transition = np.zeros((S, A, S))
    np.put_along_axis(transition, targets, (1 - end_probability) * shares, axis=-1)
    reward = rng.standard_normal((S, A))
    mdp = FiniteMDP(transition, reward, np.full(S, 1 / S), discount, smallest_ending=0.0)
    return mdp, SoftmaxPolicy.tabular(np.zeros((S, A)))


def linear_quadratic(gain=-0.3, log_std=-1.0, *, discount=0.9):
    r"""Linear-quadratic problem with all coefficients 1: a point that drifts, and costs to push it back.

    :math:`x' = x + u + e` with :math:`e \sim N(0, 0.5^2)`, reward :math:`-(x^2 + u^2)`, start
    :math:`x_0 \sim N(1, 0.5^2)`.

    Parameters
    ----------
    gain, log_std : float
        Parameters of the policy that comes with the problem.
    discount : float
        :math:`\gamma` in [0, 1).

    Returns
    -------
    mdp : LinearQuadraticMDP
    policy : LinearGaussianPolicy

    Notes
    -----
    At :math:`\gamma = 0.9` the Riccati equation gives the best gain
    :math:`k^* \approx -0.5884033490`, with :math:`P^* \approx 1.5884033490`.

    References
    ----------
    D. P. Bertsekas, *Dynamic Programming and Optimal Control*, volume I, section 4.1.

    Examples
    --------
    >>> from pgtlab import policy_gradient
    >>> mdp, policy = linear_quadratic(gain=-0.5884033490)
    >>> abs(policy_gradient(mdp, policy)).round(6)[0].item()
    0.0
    """
    mdp = LinearQuadraticMDP(
        drift=1.0,
        control=1.0,
        state_cost=1.0,
        action_cost=1.0,
        noise_std=0.5,
        initial_mean=1.0,
        initial_std=0.5,
        discount=discount,
    )
    return mdp, LinearGaussianPolicy(gain, log_std)


def _first_action_feature(n_states):
    """Return features (S, 2, 1) that are 1 for action 0 in every state: all states are aliased."""
    features = np.zeros((n_states, 2, 1))
    features[:, 0, 0] = 1.0
    return features


def _log_odds(name, probability):
    p = _validate.number(name, probability)
    if not 0 < p < 1:
        raise ValueError(f"{name} is {_validate.shown(p)}; expected a probability above 0 and below 1")
    return np.log(p) - np.log1p(-p)
