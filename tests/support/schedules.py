"""When cron jobs of tests run."""

from datetime import datetime, timedelta

FAR_MONTH = (datetime.now().astimezone() + timedelta(days=40)).month
"""Neither now nor within the next minutes: a job of this month runs only when something else lets it run."""
