{# Whether an order in this state earns money; the states that do not are a project variable. #}
{% macro earns_revenue(status) -%}
    {{ status }} not in (
        {%- for name in var('non_revenue_statuses') -%}
            '{{ name }}' {%- if not loop.last %}, {% endif -%}
        {%- endfor -%}
    )
{%- endmacro %}
