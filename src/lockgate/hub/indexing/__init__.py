"""The index of runs and jobs: what is asked often, made anew from git whenever it is lost."""
