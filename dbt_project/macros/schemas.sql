{# A model's schema is the one it names, without the target's schema as a prefix. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name | trim if custom_schema_name else target.schema }}
{%- endmacro %}


{# Every schema that dbt makes lives in the object store, in a folder of its own name. #}
{% macro trino__create_schema(relation) -%}
    {%- set bucket = env_var('MILLRACE_OBJECTSTORE__BUCKET', 'data-lake') -%}
    {%- call statement('create_schema') -%}
        create schema if not exists {{ relation.without_identifier() }}
        with (location = 's3://{{ bucket }}/{{ relation.schema }}')
    {%- endcall -%}
{% endmacro %}
