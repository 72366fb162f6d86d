-- Sums of cents mean nothing across currencies: nothing may be built on such sales.
select
    min(currency) as one_currency,
    max(currency) as other_currency
from {{ ref('fact_sales') }}
having count(distinct currency) > 1
