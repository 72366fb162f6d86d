{# The calendar day of an instant, in UTC whatever the session's time zone is. #}
{% macro utc_date(instant) -%}
    cast({{ instant }} at time zone 'UTC' as date)
{%- endmacro %}
