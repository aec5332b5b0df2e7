"""Executors: each module has one function `submit(work, job)` that runs a job and returns its value.

`work` is the function to call without arguments; `job` says for whom, with which settings and in which environment.
A new executor is one new file here, or an entry point `glacier.executors` of another package.
"""
