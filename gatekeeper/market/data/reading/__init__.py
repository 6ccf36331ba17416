"""Reading: files of any vendor as tables with columns, times and numbers of ours."""
