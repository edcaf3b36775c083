"""Questions in languages other than English, with and without a multilingual model: ranking, answers, refusals."""
