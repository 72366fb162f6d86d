# Every day-to-day command of Millrace. `make help` lists them.
#
# Knobs, each with its default:
#   RUNTIME=               docker or native; unset: what the state folder has, else Docker where
#                          an engine with Compose answers, else native
#   OVERLAY=               Docker: mysql, starburst or impala; kept by the commands to come
#   MILLRACE_HOME          the state folder (.millrace)
#   MILLRACE_TIER=small    sizes: small (8 GiB) or standard (16 GiB), config/tiers.toml
#   MILLRACE_PORT_OFFSET=0 moves every port, so that two clusters run side by side

SHELL := /bin/sh
.DEFAULT_GOAL := help
MILLRACE := ./bin/millrace
PYTHON ?= python3
PYTHON_TEST := $${MILLRACE_HOME:-.millrace}/dist/lake/bin/python
export PYTHONDONTWRITEBYTECODE := 1

.PHONY: help
help: ## Show this help
	@awk 'BEGIN {FS = ":.*## "} \
	  /^## / {printf "\n%s\n", substr($$0, 4)} \
	  /^[a-z][a-z-]*:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@printf '\nKnobs: SERVICE= PROFILE= OVERLAY= ARGS= DATASET= FROM= SEED= FAULTS= ROWS= RUNTIME= MILLRACE_TIER= MILLRACE_PORT_OFFSET= MILLRACE_HOME=\n'

## Start here
.PHONY: demo test test-docker install
# The tests' own cluster is native, whatever the user's is.
test test-unit test-fire: export RUNTIME := native
test-docker: export RUNTIME := docker

demo: install ## Start the cluster and bring sample events all the way to marts
	@$(MILLRACE) demo

test: install ## Run the unit, integration and end-to-end tests on a cluster of their own
	@$(MILLRACE) test $(ARGS)

.PHONY: install-lake
install-lake:
	@$(PYTHON) -m millrace.dist lake

test-docker: install-lake ## Run the integration and end-to-end tests on containers of our images
	@$(MILLRACE) test docker $(ARGS)

install: ## Fetch everything Millrace runs on into your cache, or build its images (once)
	@$(PYTHON) -m millrace.cluster.install

## The cluster
.PHONY: up down status logs doctor destroy
up: install ## Start every service and wait until all are healthy: PROFILE=history for one more
	@$(MILLRACE) up $(if $(PROFILE),--profile $(PROFILE))

down: ## Stop every service; data stays
	@$(MILLRACE) down

status: ## Show each service: state, memory, ports
	@$(MILLRACE) status

logs: ## Show the end of the logs: SERVICE=trino for one
	@$(MILLRACE) logs $(SERVICE) $(ARGS)

doctor: ## Check the machine and the cluster, and say what to mend
	@$(MILLRACE) doctor

destroy: ## Delete the cluster's data (asks first)
	@$(MILLRACE) destroy $(ARGS)

## Datasets
.PHONY: validate plan apply generate produce generate-data
validate: ## Check every contract
	@$(MILLRACE) validate

plan: ## Show what `make apply` would change
	@$(MILLRACE) plan

apply: ## Create topics, schemas and tables from the contracts
	@$(MILLRACE) apply

generate: ## Rewrite the files that are generated from the contracts
	@$(MILLRACE) generate

generate-data: ## Generate the sample data (no service needed)
	@$(MILLRACE) generate-data $(ARGS)

produce: ## Publish a file: DATASET=orders FROM=orders.csv
	@$(MILLRACE) produce "$(DATASET)" --from "$(FROM)" $(ARGS)

## The proof
.PHONY: verify sabotage chaos
verify: ## Prove that nothing was lost and nothing doubled: DATASET=orders
	@$(MILLRACE) verify $(if $(DATASET),--dataset "$(DATASET)") $(ARGS)

sabotage: ## Damage a copy of a dataset in twelve ways: the verifier has to see each
	@$(MILLRACE) sabotage $(if $(DATASET),--dataset "$(DATASET)") $(ARGS)

chaos: export RUNTIME := native
chaos: install ## Make faults on a cluster of their own: SEED=7 FAULTS=two-drivers,broker-killed
	@$(MILLRACE) chaos $(if $(SEED),--seed $(SEED)) $(if $(FAULTS),--faults $(FAULTS)) $(ARGS)

## Figures
.PHONY: bench-ingest install-connect
install-connect:
	@$(PYTHON) -m millrace.dist connect

bench-ingest: export RUNTIME := native
bench-ingest: install install-connect ## Drain a topic beside three other ways: ROWS=1000000
	@$(MILLRACE) bench ingest $(if $(ROWS),--rows $(ROWS)) $(ARGS)

## Pipelines
.PHONY: run dbt quarantine maintain sql shell
run: ## Run the Airflow pipeline once and follow it
	@$(MILLRACE) run --follow $(ARGS)

dbt: ## Run dbt: ARGS="build"
	@$(MILLRACE) dbt $(ARGS)

quarantine: ## Look at the records that landing refused: ARGS="list --since 1h"
	@$(MILLRACE) quarantine $(or $(ARGS),list)

maintain: ## Tidy the tables: ARGS="--dry-run" to see what it would do
	@$(MILLRACE) maintain $(ARGS)

sql: ## Query Trino: ARGS="select 1", or interactively
	@$(MILLRACE) sql $(if $(ARGS),"$(ARGS)")

shell: ## Open a Python shell with the lake's libraries and settings
	@$(MILLRACE) shell

## Airflow by hand: both are part of `make up`, under the names other stacks use
.PHONY: airflow-init airflow-start
airflow-init airflow-start: up
airflow-init: ## Prepare Airflow's database, user and pools (same as `make up`)
airflow-start: ## Start Airflow and what it needs (same as `make up`)

## Developing Millrace
.PHONY: lint format test-unit test-fire clean
lint: ## Check style, types, SQL and shell
	@$(MILLRACE) test lint

format: ## Format the code
	@$(PYTHON_TEST) -m ruff check --fix-only -q . && $(PYTHON_TEST) -m ruff format -q .

test-unit: install ## Run the unit tests alone (no cluster)
	@$(MILLRACE) test unit

test-fire: install ## Kill and freeze Airflow's parts under the pipeline (ten minutes)
	@$(MILLRACE) test fire $(ARGS)

clean: ## Remove temporary files; data stays
	@$(MILLRACE) clean
