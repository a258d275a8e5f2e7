"""The doctor: what is wrong with a run, how that shows, how sure it is, and what usually mends it.

A `Chart` holds what is known of a run; each finding is a pure function of it, a row of `findings.FINDINGS`.
"""
