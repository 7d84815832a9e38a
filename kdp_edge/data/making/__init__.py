"""Local twins: behaviour policies, how they were trained, and rolling them in MuJoCo."""
