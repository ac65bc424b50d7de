"""Answers to the exercises that are tried in a chapter, by the id of their cell: wrong ones, right ones."""

#: Answers that are wrong in one thing, each under what is said of it; None is the cell as the book has it.
WRONG = {
    "avg-difference-try": {
        "h(s) is not taken off": """
            def difference(mdp, one, two):
                d = pgtlab.stationary_distribution(mdp, two)
                return d @ (two.probs() * pgtlab.differential_action_values(mdp, one)).sum(1)
            """,
        "the visits are those of π": """
            def difference(mdp, one, two):
                A = pgtlab.differential_action_values(mdp, one)
                A = A - pgtlab.differential_values(mdp, one)[:, None]
                return pgtlab.stationary_distribution(mdp, one) @ (two.probs() * A).sum(1)
            """,
        "a sum or a mean over an axis is missing": """
            def difference(mdp, one, two):
                A = pgtlab.differential_action_values(mdp, one)
                A = A - pgtlab.differential_values(mdp, one)[:, None]
                return pgtlab.stationary_distribution(mdp, two) @ (two.probs() * A)
            """,
        "not written yet": None,
    },
    "avg-compatible-try": {
        "the squares are not weighted by d π": """
            def natural(mdp, policy):
                rows = policy.scores().reshape(-1, policy.scores().shape[-1])
                target = pgtlab.differential_action_values(mdp, policy)
                return np.linalg.lstsq(rows, target.ravel(), rcond=None)[0]
            """,
        "take its root": """
            def natural(mdp, policy):
                weight = pgtlab.stationary_distribution(mdp, policy)[:, None] * policy.probs()
                rows = (weight[..., None] * policy.scores()).reshape(weight.size, -1)
                target = weight * pgtlab.differential_action_values(mdp, policy)
                return np.linalg.lstsq(rows, target.ravel(), rcond=None)[0]
            """,
        "this is the gradient itself": """
            def natural(mdp, policy):
                return pgtlab.average_reward_gradient(mdp, policy)
            """,
    },
    "own-ends-try": {
        "days are counted without the discount": """
            def days_by_hand(leave, discount):
                return sum(1 / chance for chance in leave)
            """,
        "the day on which a level is left is not discounted": """
            def days_by_hand(leave, discount):
                total, entered = 0.0, 1.0
                for chance in leave:
                    days = entered / (1 - discount * (1 - chance))
                    total, entered = total + days, days * chance
                return total
            """,
        "the function has no `return`": """
            def days_by_hand(leave, discount):
                total = 1 / (1 - discount)
            """,
        "expected an answer, got NameError: name 'gamma' is not defined": """
            def days_by_hand(leave, discount):
                return 1 / (1 - gamma)
            """,
    },
    "own-floor-try": {
        "divided by the old probability": """
            def floor_score(probs, scores):
                return 0.9 * probs[..., None] * scores / probs[..., None]
            """,
        "not of its logarithm": """
            def floor_score(probs, scores):
                return 0.9 * probs[..., None] * scores
            """,
        "it is ε/2": """
            def floor_score(probs, scores):
                return 0.9 * probs[..., None] * scores / (0.1 + 0.9 * probs)[..., None]
            """,
    },
    "by-hand-walk-try": {
        "the swap of left and right in state 1 is missing": """
            walk_states, walk_to_go = [0, 0, 1, 0], [-4, -3, -2, -1]
            """,
        "begin with 0": """
            walk_states, walk_to_go = [0, 1, 2, 3], [-4, -3, -2, -1]
            """,
        "it is no state": """
            walk_states, walk_to_go = [0, 0, 1, 2, 3], [-4, -3, -2, -1]
            """,
        "count those to come": """
            walk_states, walk_to_go = [0, 0, 1, 2], [-1, -2, -3, -4]
            """,
        "walk_to_go: entry [0] is 4, which is not right to three digits. Likely cause: the sign": """
            walk_states, walk_to_go = [0, 0, 1, 2], [4, 3, 2, 1]
            """,
        "walk_to_go: not written yet. Put your answer in the place of `...`": """
            walk_states, walk_to_go = [0, 0, 1, 2], [-4, ..., -2, -1]
            """,
        "expected finite numbers, got nan at [1]": """
            walk_states, walk_to_go = [0, 0, 1, 2], [-4, np.nan, -2, -1]
            """,
        "walk_states: expected an answer, got None": """
            walk_states, walk_to_go = print([0, 0, 1, 2]), None
            """,
        "walk_states: expected shape (4,), got one number": """
            walk_states, walk_to_go = 2, -1
            """,
    },
    "by-hand-push-try": {
        "each score has its own return to go": "push_sums = [-1.5, 2.1]",
        "the score of left is -p": "push_sums = [-3, -0.6]",
        "the score of left has a minus": "push_sums = [-3, -2.2]",
        "this is the sum of the scores": "push_sums = [1 / 2, -0.7]",
    },
    "two-hills-try": {
        "the other root": "best_p, best_J = 3.414, -11.66",
        "p (1 - p) is largest at 1/2": "best_p, best_J = 0.5, -12",
        "this is J at p = 1/2": "best_p, best_J = 0.586, -12",
        "Likely cause: the sign": "best_p, best_J = 0.586, 11.66",
    },
    "baseline-first-try": {
        "12 is taken off": """
            def push_above(actions, p):
                to_go = -np.arange(len(actions), 0, -1)
                return np.sum((actions - p) * (to_go - 12))
            """,
        "12 is added once": """
            def push_above(actions, p):
                return push(actions, p) + 12
            """,
        "the scores are missing": """
            def push_above(actions, p):
                return np.sum(12 - np.arange(len(actions), 0, -1))
            """,
        "this is `push` as it was": """
            def push_above(actions, p):
                return push(actions, p)
            """,
    },
    "warm-improve-try": {
        "these are the advantages": "Q_three, V_three, rise = [-1, 1, 0], 2, 1",
        "which belong to V": "Q_three, V_three, rise = [1 / 3, 1, 2 / 3], 2, 1",
        "V is the mean under the policy": "Q_three, V_three, rise = [1, 3, 2], 3, 1",
        "take off what it was": "Q_three, V_three, rise = [1, 3, 2], 2, 3",
    },
    "warm-softmax-try": {
        "take the exponential first": "two_probs, growth = [1, 0], 0.019",
        "the two change places": "two_probs, growth = [0.25, 0.75], 0.019",
        "this is the slope": "two_probs, growth = [0.75, 0.25], 0.1875",
        "the factor 1 - π": "two_probs, growth = [0.75, 0.25], 0.075",
    },
    "conservative-try": {
        "β and 1 - β change places": """
            def lean(p, beta):
                return beta * p + (1 - beta) * improve(p, epsilon=0.1)
            """,
        "the greedy choice is taken surely": """
            def lean(p, beta):
                return (1 - beta) * p + beta * improve(p, epsilon=0.0)
            """,
        "p keeps its whole share": """
            def lean(p, beta):
                return p + beta * improve(p, epsilon=0.1)
            """,
        "above the top the greedy choice is left": """
            def lean(p, beta):
                return (1 - beta) * p + beta * 0.95
            """,
    },
    "sensor-try": {
        "no probability of its own": "J_sensor = [-11.66, -11.66, -11.66]",
        "the order is state 0, state 1, state 2": "J_sensor = [-6.83, -3, -9]",
        "Likely cause: the sign": "J_sensor = [9, 3, 6.83]",
    },
    "tight-try": {
        "one state only": """
            def change_of_visits(eta, gamma):
                return gamma * eta / ((1 - gamma) * (1 - gamma + gamma * eta))
            """,
        "sum their absolute values": """
            def change_of_visits(eta, gamma):
                return np.sum(stay_or_leave(eta, gamma) - stay_or_leave(0.0, gamma)).round(12)
            """,
        "this is the bound": """
            def change_of_visits(eta, gamma):
                return 2 * eta * gamma / (1 - gamma) ** 2
            """,
        "visits are not normalised": """
            def change_of_visits(eta, gamma):
                return 2 * gamma * eta / (1 - gamma + gamma * eta)
            """,
    },
    "warm-two-in-a-row-try": {
        "what comes later is not discounted": "V_row, rho_row, J_row = [7, 5], [1, 0.9], 6.5",
        "where 5 is paid at once": "V_row, rho_row, J_row = [6.5, 4.5], [1, 0.9], 6.5",
        "a visit at time 1 counts γ": "V_row, rho_row, J_row = [6.5, 5], [1, 1], 6.5",
        "ρ is not normalised": "V_row, rho_row, J_row = [6.5, 5], [0.526, 0.474], 6.5",
        "not the sum of both": "V_row, rho_row, J_row = [6.5, 5], [1, 0.9], 11.5",
    },
    "warm-three-steps-try": {
        "the first row is that of time 1": """
            chance_rows = [[1, 0, 0], [1 / 2, 1 / 2, 0], [1 / 2, 1 / 4, 1 / 4]]
            arrived = 1 / 8
            """,
        "the last row sums to less than 1": """
            chance_rows = [[1 / 2, 1 / 2, 0], [1 / 2, 1 / 4, 1 / 4], [3 / 7, 3 / 7, 1 / 7]]
            arrived = 1 / 8
            """,
        "left stays in state 0": """
            chance_rows = [[0, 1, 0], [1 / 2, 0, 1 / 2], [0, 3 / 4, 0]]
            arrived = 1 / 8
            """,
        "still under way": """
            chance_rows = [[1 / 2, 1 / 2, 0], [1 / 2, 1 / 4, 1 / 4], [3 / 8, 3 / 8, 1 / 8]]
            arrived = 7 / 8
            """,
    },
    "one-state-try": {
        "it goes on with 1 - ε only": """
            def value_of_one(gamma, epsilon):
                return 1 / (1 - gamma)
            """,
        "the discount is missing": """
            def value_of_one(gamma, epsilon):
                return 1 / epsilon
            """,
        "ε is the chance to end": """
            def value_of_one(gamma, epsilon):
                return 1 / (1 - gamma * epsilon)
            """,
        "the end comes after": """
            def value_of_one(gamma, epsilon):
                return (1 - epsilon) / (1 - gamma * (1 - epsilon))
            """,
    },
    "count-visits-try": {
        "a visit at time t counts γ^t": """
            def count_visits(mdp, policy, rng):
                path = pgtlab.rollout(mdp, policy, n_episodes=1, rng=rng)
                return np.bincount(path.states[:-1, 0], minlength=4)[:3]
            """,
        "the start is a visit, too": """
            def count_visits(mdp, policy, rng):
                path = pgtlab.rollout(mdp, policy, n_episodes=1, rng=rng)
                weights = mdp.discount ** np.arange(1, len(path.states))
                return np.bincount(path.states[1:, 0], weights, minlength=4)[:3]
            """,
        "the visit at time 0 counts 1": """
            def count_visits(mdp, policy, rng):
                path = pgtlab.rollout(mdp, policy, n_episodes=1, rng=rng)
                weights = mdp.discount ** np.arange(1, len(path.states))
                return np.bincount(path.states[:-1, 0], weights, minlength=4)[:3]
            """,
        "expected shape (3,), got shape (4,). Likely cause: an entry too many": """
            def count_visits(mdp, policy, rng):
                path = pgtlab.rollout(mdp, policy, n_episodes=1, rng=rng)
                return np.bincount(path.states[:, 0], minlength=4)
            """,
    },
    "warm-one-state-theorem-try": {
        "the factor p (1 - p) is missing": """
            def right_side(p):
                return 4
            """,
        "change in opposite ways": """
            def right_side(p):
                return 6 * p * (1 - p)
            """,
        "π stands in the place of ∂π": """
            def right_side(p):
                return 5 * p + (1 - p)
            """,
    },
    "warm-later-try": {
        "state 1 is visited at time 1": "slope_later, slope_without = 0.5, 0.5",
        "the factor p (1 - p) is missing": "slope_later, slope_without = 1.8, 0.5",
        "change in opposite ways": "slope_later, slope_without = 0.9, 0.5",
        "this has the factor": "slope_later, slope_without = 0.45, 0.45",
    },
    "one-knob-try": {
        "the factor p (1 - p) = 1/4 is missing": """
            def with_and_without(c):
                return 1 - 0.9 * c, 1 - c
            """,
        "the two change places": """
            def with_and_without(c):
                return np.array([1 - c, 1 - 0.9 * c]) / 4
            """,
        "c is a cost": """
            def with_and_without(c):
                return np.array([1 + 0.9 * c, 1 + c]) / 4
            """,
    },
    "start-try": {
        "the start has to change": """
            def slopes_of_V(mdp, policy):
                return np.tile(pgtlab.policy_gradient(mdp, policy), (mdp.n_states, 1))
            """,
        "one step only": """
            def slopes_of_V(mdp, policy):
                dpi = policy.probs()[..., None] * policy.scores()
                return np.einsum("sak,sa->sk", dpi, pgtlab.action_values(mdp, policy))
            """,
        "two axes are swapped": """
            def slopes_of_V(mdp, policy):
                starts = (replace(mdp, initial=each) for each in np.eye(mdp.n_states))
                return np.transpose([pgtlab.policy_gradient(each, policy) for each in starts])
            """,
    },
    "noise-try": {
        "the square of the mean is not taken off": """
            def variance(m, b):
                return ((m + 1 - b) ** 2 + (m - b) ** 2) / 8
            """,
        "this is the standard deviation": """
            def variance(m, b):
                return (2 * (m - b) + 1) / 4
            """,
        "divided by n - 1": """
            def variance(m, b):
                return np.var([(m + 1 - b) / 2, -(m - b) / 2], ddof=1)
            """,
        "b is left out": """
            def variance(m, b):
                return ((2 * m + 1) / 4) ** 2
            """,
    },
    "warm-critic-try": {
        "divide it by E[SC²]": "w_two, says_two = 1, [2, -2]",
        "this is a value of the critic": "w_two, says_two = 2, [2, -2]",
        "a critic of this form has mean 0": "w_two, says_two = 4, [4, 0]",
        "the scores are 1/2 and -1/2": "w_two, says_two = 4, [4, -4]",
    },
    "warm-baseline-try": {
        "the square of the mean is not taken off": "no_baseline, with_baseline = [1, 2], [1, 0]",
        "mean and variance of Q": "no_baseline, with_baseline = [2, 4], [1, 0]",
        "the score of the second action is -1/2": "no_baseline, with_baseline = [1, 1], [0, 1]",
        "these are of Q - b": "no_baseline, with_baseline = [1, 1], [0, 4]",
    },
    "corridor-critic-try": {
        "this is the sum of ρ π": "sum_of_squares, w_corridor, says_right = 12, 2 / 3, 1 / 3",
        "weighted by their visits": "sum_of_squares, w_corridor, says_right = 0.75, 2 / 3, 1 / 3",
        "this is the gradient": "sum_of_squares, w_corridor, says_right = 3, 2, 1 / 3",
        "this is w": "sum_of_squares, w_corridor, says_right = 3, 2 / 3, 2 / 3",
        "these are the advantages": "sum_of_squares, w_corridor, says_right = 3, 2 / 3, [1, -3, 5]",
    },
    "cliff-try": {
        "the goal is worth 0": """
            def td_mean(v, p):
                return 0.0
            """,
        "ρ(2) is missing": """
            def td_mean(v, p):
                return -v * p * (1 - p)
            """,
        "Likely cause: the sign": """
            def td_mean(v, p):
                return v * (1 - p)
            """,
        "the critic knows no more than v": """
            def td_mean(v, p):
                return pgtlab.policy_gradient(*gallery.short_corridor(p))[0]
            """,
    },
    "warm-coin-try": {
        "weighted by the probabilities": "fim_coin, kl_coin = [0.5, 0.9802], [0.00125, 0.00005]",
        "the scores are not squared": "fim_coin, kl_coin = [0.5, 0.0198], [0.00125, 0.00005]",
        "this is the inverse": "fim_coin, kl_coin = [4, 101], [0.00125, 0.00005]",
        "the factor 1/2 is missing": "fim_coin, kl_coin = [0.25, 0.0099], [0.0025, 0.0001]",
        "the step is not squared": "fim_coin, kl_coin = [0.25, 0.0099], [0.0125, 0.000495]",
    },
    "warm-natural-try": {
        "multiplied by FIM": """
            def both_gradients(p):
                return 4 * p * (1 - p), 4 * (p * (1 - p)) ** 2
            """,
        "∂ is by θ, not by p": """
            def both_gradients(p):
                return 4, 4 / (p * (1 - p))
            """,
        "the two change places": """
            def both_gradients(p):
                return 4, 4 * p * (1 - p)
            """,
    },
    "repair-try": {
        "what the next state is worth is still missing": """
            def repaired(paths, steps):
                return pgtlab.LiteralUpdate().learn(paths, steps)[-1, 0]
            """,
        "a sum or a mean over an axis is missing": """
            def repaired(paths, steps):
                return pgtlab.MonteCarlo().learn(paths, steps)[-1]
            """,
        "is not discounted": """
            def repaired(paths, steps):
                w, v, scores = 0.0, np.zeros(3), paths.policy.scores()[..., 0]
                for n, t in np.argwhere(paths.alive.T):
                    s, s_next = paths.states[t, n], paths.states[t + 1, n]
                    sc = scores[s, paths.actions[t, n]]
                    delta = paths.rewards[t, n] + v[s_next] - v[s] - sc * w
                    w += steps[n] * 0.9**t * delta * sc
                    v[s] += 0.1 * 0.9**t * delta
                return w
            """,
        "v that is not learned": """
            def repaired(paths, steps):
                return 0.7 * pgtlab.MonteCarlo().learn(paths, steps)[-1, 0]
            """,
    },
    "group-of-two-try": {
        "divides by G, not by G - 1": "of_two = [[1, -1], [0.5, -0.5], [0.707, -0.707]]",
        "takes off the other reward": "of_two = [[0.5, -0.5], [0.5, -0.5], [1, -1]]",
        "has the answer itself in it": "of_two = [[1, -1], [1, -1], [1, -1]]",
    },
    "who-is-pushed-try": {
        "one token was asked for": "token_weights = [[1 / 2, -1 / 2], [1 / 3, -2 / 3], [1 / 4, -1 / 2]]",
        "a factor 1/2": "token_weights = [[1 / 2, -1 / 4], [1 / 6, -1 / 6], [1 / 4, -1 / 4]]",
        "has the advantage -1": "token_weights = [[1 / 4, 1 / 8], [1 / 6, 1 / 6], [1 / 8, 1 / 8]]",
        "with the end token counted": "token_weights = [[1 / 2, -1 / 6], [1 / 4, -1 / 4], [1 / 8, -1 / 8]]",
    },
    "clean-up-try": {
        "the baseline has the answer itself in it": """
            def mended(log_probs, old_log_probs, ref_log_probs, rewards, mask):
                advantage = rewards - rewards.mean()
                ratio = np.exp(log_probs - old_log_probs)
                away = ((log_probs - ref_log_probs) * mask).sum(-1)
                return (0.1 * away**2 / 2 - (ratio * advantage[:, None] * mask).sum(-1)).mean()
            """,
        "token by token, the visits stay fixed": """
            def mended(log_probs, old_log_probs, ref_log_probs, rewards, mask):
                advantage = leave_one_out(rewards)
                ratio = np.exp(log_probs - old_log_probs)
                away = ref_log_probs - log_probs
                k3 = np.exp(away) - 1 - away
                return ((-ratio * advantage[:, None] + 0.1 * k3) * mask).sum(-1).mean()
            """,
        "a sum or a mean over an axis is missing": """
            def mended(log_probs, old_log_probs, ref_log_probs, rewards, mask):
                return (log_probs - ref_log_probs) * mask
            """,
    },
}

#: Right answers: where the book's solution is no code, and others that come by another road.
RIGHT = {
    "by-hand-walk-try": ["walk_states, walk_to_go = np.array([0, 0, 1, 2]), (-4, -3, -2, -1.0)"],
    "by-hand-push-try": ["push_sums = [push(np.array([True, False, True]), p) for p in (0.5, 0.9)]"],
    "two-hills-try": ["best_p, best_J = 0.586, -11.7", "best_p, best_J = 2 - 2**0.5, -(6 + 4 * 2**0.5)"],
    "baseline-first-try": [
        """
        def push_above(actions, p):
            to_go = -np.arange(len(actions), 0, -1)
            return np.sum((actions - p) * (to_go + 12))
        """
    ],
    "warm-improve-try": ["Q_three, V_three, rise = np.array([1, 3, 2]), np.mean([1, 3, 2]), 1"],
    "warm-softmax-try": [
        "two_probs, growth = [0.75, 0.25], 0.019",
        "two_probs, growth = [3 / 4, 1 / 4], sp.Rational(3, 160)",
        "two_probs, growth = (sp.Rational(3, 4), sp.Rational(1, 4)), 0.0183",
    ],
    "conservative-try": [
        """
        def lean(p, beta):
            return p + beta * ((0.95 if p < 2 - 2**0.5 else 0.05) - p)
        """
    ],
    "sensor-try": ["J_sensor = [-9, -3, -4 - 2 * np.sqrt(2)]", "J_sensor = [-9.002, -3.003, -6.83]"],
    "tight-try": [
        """
        def change_of_visits(eta, gamma):
            return 2 * (stay_or_leave(0.0, gamma) - stay_or_leave(eta, gamma))[0]
        """
    ],
    "warm-two-in-a-row-try": ["V_row, rho_row, J_row = [6.5, 5], [1, 0.9], 6.5"],
    "warm-three-steps-try": [
        """
        chance_rows = [[1 / 2, 1 / 2, 0], [1 / 2, 1 / 4, 1 / 4], [3 / 8, 3 / 8, 1 / 8]]
        arrived = 0.125
        """
    ],
    "one-state-try": [
        """
        def value_of_one(gamma, epsilon):
            return 1 / (1 - gamma * (1 - epsilon))
        """
    ],
    "count-visits-try": [
        """
        def count_visits(mdp, policy, rng):
            path = pgtlab.rollout(mdp, policy, n_episodes=1, rng=rng)
            weights = mdp.discount ** np.arange(len(path.states) - 1)
            return np.bincount(path.states[:-1, 0], weights, minlength=4)[:3]
        """
    ],
    "warm-one-state-theorem-try": [
        """
        def right_side(p):
            return p * (1 - p) * 5 - p * (1 - p) * 1
        """
    ],
    "warm-later-try": ["slope_later, slope_without = 0.45, 1 / 2"],
    "one-knob-try": [
        """
        def with_and_without(c):
            return np.array([1 - 0.9 * c, 1 - c]) / 4
        """
    ],
    "start-try": [
        """
        def slopes_of_V(mdp, policy):
            dpi = policy.probs()[..., None] * policy.scores()
            g = np.einsum("sak,sa->sk", dpi, pgtlab.action_values(mdp, policy))
            step = pgtlab.transition_probabilities(mdp, policy, 1)
            return np.linalg.solve(np.eye(mdp.n_states) - mdp.discount * step, g)
        """
    ],
    "noise-try": [
        """
        def variance(m, b):
            return ((2 * (m - b) + 1) / 4) ** 2
        """
    ],
    "warm-critic-try": ["w_two, says_two = 1 / (1 / 4), np.array([2, -2])"],
    "warm-baseline-try": ["no_baseline, with_baseline = [1, 1], [1, 0]"],
    "corridor-critic-try": ["sum_of_squares, w_corridor, says_right = 3, 0.667, 0.333"],
    "cliff-try": [
        """
        def td_mean(v, p):
            return -v * pgtlab.state_visitation(*gallery.short_corridor(p))[2] * p * (1 - p)
        """
    ],
    "warm-coin-try": [
        "fim_coin, kl_coin = [0.25, 0.0099], [0.00125, 0.00005]",
        "fim_coin, kl_coin = [0.25, 0.0099], [0.001249, 0.0000479]",
    ],
    "warm-natural-try": [
        """
        def both_gradients(p):
            return [4 * p * (1 - p), 4]
        """
    ],
    "repair-try": [
        """
        def repaired(paths, steps):
            return pgtlab.MonteCarlo().learn(paths, steps)[-1, 0]
        """
    ],
    "group-of-two-try": ["of_two = [[1, -1], [1 / 2, -1 / 2], [1, -1]]"],
    "who-is-pushed-try": ["token_weights = [[1 / 4, -1 / 8], [1 / 6, -1 / 6], [0.125, -0.125]]"],
    "clean-up-try": [
        """
        def mended(log_probs, old_log_probs, ref_log_probs, rewards, mask):
            away = ((old_log_probs - ref_log_probs) * mask).sum(-1)  # k1 in the reward
            advantage = leave_one_out(rewards) - 0.1 * away
            return -(np.exp(log_probs - old_log_probs) * advantage[:, None] * mask).sum(-1).mean()
        """
    ],
}
