"""Airflow from outside: start a DAG through its REST API and follow it to its end."""
