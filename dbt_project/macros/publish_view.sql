{# A mart is also reachable without naming its schema: a view of its name in `default`. #}
{% macro publish_view() -%}
    create or replace view {{ this.database }}.default.{{ this.identifier }}
    as select * from {{ this }}
{%- endmacro %}
