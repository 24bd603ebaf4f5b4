"""Only place that talks to GitHub's API. A fault is a GitHubError, which no run fails for.

client      one repository: requests that are tried again, all of them within two minutes
comments    one comment for each workflow file, whoever else posts at the same time
statuses    commit statuses, always closed
pulls       which pull request a commit belongs to
"""
