"""What cannot pass yet: the cells, and why they stand."""

#: The values at e^-800 of an endless state: infinite, and what the package says is that of a rounded policy.
ROUNDED = "at discount 1 a probability that underflows counts as 0, as the docstring of FiniteChain says"

#: (column, row): reason.
WRONG = {
    (column, "an endless state at e^-800"): ROUNDED
    for column in (
        "GAE, no values",
        "ReturnToGo",
        "WholeReturn",
        "action_values",
        "advantages",
        "best_baseline",
        "compatibility_error",
        "compatible_gradient",
        "expected_return",
        "fisher_information",
        "kl_divergence",
        "policy_gradient_by_differences",
        "state_values",
        "state_visitation",
        "state_visitation_distribution",
    )
}
