"""scikit-learn's face: estimators that hold no algorithms of their own; importing them imports scikit-learn."""
