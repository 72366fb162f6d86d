{# Cents as a decimal amount, for reports. Sums are made in cents, so nothing is rounded twice. #}
{% macro amount(cents) -%}
    cast(cast({{ cents }} as decimal(18, 2)) / 100 as decimal(18, 2))
{%- endmacro %}


{# The share of one count or amount in another, with four places; null where there is no whole. #}
{% macro share(part, whole) -%}
    cast(
        cast({{ part }} as decimal(18, 4)) / nullif({{ whole }}, 0)
        as decimal(18, 4)
    )
{%- endmacro %}
