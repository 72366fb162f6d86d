{#
    One text key from the columns of a business key: the MD5 of their values, with a separator
    that can not occur in an identifier, and with null told apart from an empty text.
#}
{% macro surrogate_key(columns) -%}
    lower(to_hex(md5(to_utf8(concat_ws(
        chr(31)
        {%- for column in columns %},
        coalesce(cast({{ column }} as varchar), chr(30))
        {%- endfor %}
    )))))
{%- endmacro %}
