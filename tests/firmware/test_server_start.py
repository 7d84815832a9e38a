"""Starting in too little memory, and what HELLO says of a port."""
