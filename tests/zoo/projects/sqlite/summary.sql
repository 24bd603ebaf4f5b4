SELECT customer, sum(amount) FROM orders GROUP BY customer ORDER BY customer;
