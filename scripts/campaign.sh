#!/usr/bin/env bash
# The full counts of the campaigns that scripts/test.sh runs short: kill -9 of every role at random moments (turns, models and
# tools also in processes of their own, where every model call is counted and no write runs twice), and long outages.
#
#   scripts/campaign.sh            20 rounds per role, a broker that is away for 60 s, 5 restarts of the database
#   TEST_SEED=n scripts/campaign.sh    the same moments again
set -euo pipefail
cd "$(dirname "$0")/.."

export TEST_KILLS=${TEST_KILLS:-20} TEST_OUTAGE_SECONDS=${TEST_OUTAGE_SECONDS:-60} TEST_OUTAGES=${TEST_OUTAGES:-5}
exec scripts/test.sh --package tests --test scenarios --test outages -- --nocapture killed broker database
