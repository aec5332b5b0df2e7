"""Executors: each module has one function `submit(call, job)` that runs one attempt of a job and returns its value.

`call` is the function with its arguments, and calling it runs it; `job` says for whom, with which settings and in which
environment. An executor keeps to `job.limit()` seconds (else it raises TaskTimeoutError) and ends early when
`job.cancel` says so. A new executor is one new file here, or an entry point `glacier.executors` of another package.
"""
