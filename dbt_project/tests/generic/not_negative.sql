{# Rows where one of the columns is missing or below zero: all columns in one query. #}
{% test not_negative(model, columns) %}

    select {{ columns | join(', ') }}
    from {{ model }}
    where
    {%- for column in columns %}
        {{ 'or ' if not loop.first }}{{ column }} is null or {{ column }} < 0
    {%- endfor %}

{% endtest %}
