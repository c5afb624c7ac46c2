"""The conformance suite: does an engine keep the promises that everything else builds on?

from heliograph.testing import check_engine

report = check_engine(lambda: MyEngine("scene.xyz"))
"""

from heliograph.testing.contract import check_engine
from heliograph.testing.report import CHECKS, Check, ContractError, Outcome, Report, Verdict

__all__ = ["CHECKS", "Check", "ContractError", "Outcome", "Report", "Verdict", "check_engine"]
