"""Questions and queries composed of clauses: what is asked of the things that meet them, or of one named thing.

As in NSpM (Soru et al. 2018) a question pattern and a query pattern share placeholders; here both are composed, so a
template is named by its parts: `count(link+year=):typed`. Every draft holds for its witness.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from . import compare_forms, set_forms, thing_forms
from .attribute_forms import COLUMN_FORMS
from .clauses import Draft, Draw, UnfitError
from .construct_forms import CONSTRUCTS

FORMS: Mapping[str, tuple[float, Callable[[Draw], Draft]]] = {
    "list": (22, set_forms.ask_list), "count": (9, set_forms.ask_count), "any": (2, set_forms.ask_any), "attribute": (6, set_forms.ask_attribute), "table": (4, set_forms.ask_table),
    "superlative": (8, set_forms.ask_superlative), "aggregate": (4, set_forms.ask_aggregate), "group": (4, set_forms.ask_group), "having": (4, set_forms.ask_having),
    "bind": (3, thing_forms.ask_bind), "value": (12, thing_forms.ask_value), "value-typed": (3, thing_forms.ask_value_typed), "hops-2": (8, thing_forms.ask_two_hops),
    "hops-3": (3, thing_forms.ask_three_hops), "value-count": (3, thing_forms.ask_value_count), "yes-no": (6, thing_forms.ask_yes_no), "is-a": (1.5, thing_forms.ask_is_a),
    "compare": (4, compare_forms.ask_compare), "value-test": (2, compare_forms.ask_value_test), "two-values": (4, thing_forms.ask_two_values), "common": (2.5, thing_forms.ask_common),
    "value-where": (4, thing_forms.ask_value_where), "members": (1, thing_forms.ask_members),
    **{f"columns {name}": (weight / 5, ask) for name, (weight, ask) in COLUMN_FORMS.items()},
    # Much of what is drawn for these two does not fit together.
    **{f"construct {name}": (5.0 if name in ("MINUS", "BIND") else 1.5, ask) for name, ask in CONSTRUCTS.items()},
}  # fmt: skip
_NAMES = tuple(FORMS)
_WEIGHTS = tuple(weight for weight, _ in FORMS.values())


def draft(d: Draw) -> Draft | None:
    """One question with its query, None when what was drawn does not fit together."""
    d.variables = 0
    (form,) = d.rng.choices(_NAMES, _WEIGHTS)
    try:
        return FORMS[form][1](d)
    except UnfitError:
        return None
