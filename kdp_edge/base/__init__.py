"""What every room stands on: errors, files, workspace, statistics, progress. Imports nothing of ours."""
